"""A stored baseline of an older commit: which of its models serve, and what stands in for the others."""

import subprocess
from pathlib import Path

import pytest

from coreml_gate.config import Config
from coreml_gate.errors import RecordError
from coreml_gate.frozen import changed
from coreml_gate.gate.baseline import NO_BASELINE, Baseline, as_baseline, no_baseline, stored_baseline
from coreml_gate.gate.git import Repository
from coreml_gate.gate.mixed_baseline import changed_between, is_older, mixed
from coreml_gate.record import Record, write_record
from coreml_gate.verdict import BaselineFacts
from tests.builders import model_record, package, record

CONFIG = """
[[model]]
name = "digits"
source = "digits.py:build"

[[model]]
name = "words"
source = "words.py:build"
"""


class History:
    """A repository whose commits change one file each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._git("init", "--quiet", "--initial-branch=main")
        (root / "coreml-gate.toml").write_text(CONFIG)
        self.first = self.commit("digits.py", "one")

    def commit(self, file: str, text: str) -> str:
        (self.root / file).write_text(f"# {text}\n")
        self._git("add", "-A")
        self._git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", text)
        return self._git("rev-parse", "HEAD").strip()

    @property
    def repository(self) -> Repository:
        return Repository.open(self.root, {})

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout


@pytest.fixture
def history(tmp_path: Path) -> History:
    (tmp_path / "tree").mkdir()
    return History(tmp_path / "tree")


def stored_at(commit: str | None) -> Record:
    return record(model_record(name="digits"), model_record(name="words"), commit=commit)


def config_of() -> Config:
    return Config.model_validate(
        {"model": [{"name": name, "source": f"{name}.py:build"} for name in ("digits", "words")]}
    )


def test_a_record_of_an_ancestor_is_older_and_nothing_else(history: History) -> None:
    base = history.commit("words.py", "two")
    assert is_older(stored_at(history.first), base, history.repository)
    assert not is_older(stored_at(base), base, history.repository)
    assert not is_older(stored_at(None), base, history.repository)
    assert not is_older(stored_at("0" * 40), base, history.repository), (
        "a commit that this clone does not have"
    )
    assert not is_older(stored_at(base), history.first, history.repository), "a newer one is not an ancestor"


def test_models_are_stale_whose_files_changed_since(history: History) -> None:
    history.commit("words.py", "two")
    stale = changed_between(stored_at(history.first), history.repository, config_of(), "coreml-gate.toml", {})
    assert stale == {"words"}


def test_what_a_model_read_counts_as_its_own(history: History) -> None:
    history.commit("weights.bin", "two")
    found = [
        changed_between(stored_at(history.first), history.repository, config_of(), "coreml-gate.toml", opened)
        for opened in ({}, {"digits": ("weights.bin",)})
    ]
    assert found == [frozenset(), {"digits"}]


def test_a_record_whose_commit_is_unknown_proves_nothing_of_any_model(history: History) -> None:
    stale = changed_between(stored_at("0" * 40), history.repository, config_of(), "coreml-gate.toml", {})
    assert stale == {"digits", "words"}


def stored(folder: Path | None = None) -> Baseline:
    return as_baseline(stored_at("a" * 40), "artifact `base`", folder)


def test_nothing_stale_leaves_the_stored_baseline_as_it_is() -> None:
    baseline = stored()
    assert mixed(baseline, None, (), "b" * 40, None) is baseline
    assert mixed(NO_BASELINE, None, ("digits",), "b" * 40, None) is NO_BASELINE


def test_a_stale_model_comes_from_the_commit_that_was_measured_again() -> None:
    again = record(model_record(name="words", content="new"), model_record(name="other"))
    found = mixed(stored(), again, ("words",), "b" * 40, None)
    assert found.record is not None
    assert [(model.name, model.content) for model in found.record.models] == [
        ("digits", ""),
        ("words", "new"),
    ]
    assert found.facts == BaselineFacts(
        origin="artifact `base`; `words` measured again at bbbbbbb: changed since aaaaaaa",
        commit="a" * 40,
        present=True,
    )


def test_a_stale_model_that_was_not_measured_again_is_left_out_by_name() -> None:
    found = mixed(stored(), None, ("words", "digits"), "b" * 40, None)
    assert found.record is not None
    assert found.record.models == ()
    assert found.facts.origin.endswith("`digits`, `words` left out: changed since aaaaaaa")


def test_the_packages_that_are_kept_come_along(tmp_path: Path) -> None:
    source, target = tmp_path / "stored", tmp_path / "mixed"
    for name in ("digits", "words"):
        (source / f"models/{name}/package.mlpackage").mkdir(parents=True)
        (source / f"models/{name}/package.mlpackage/Manifest.json").write_text(name)
    models = [
        model_record(name=name, package=package(path=f"models/{name}/package.mlpackage"))
        for name in ("digits", "words")
    ]
    baseline = as_baseline(record(*models, commit="a" * 40), "stored", source)
    mixed(baseline, None, ("words",), "b" * 40, target)
    assert (target / "models/digits/package.mlpackage/Manifest.json").read_text() == "digits"
    assert not (target / "models/words").exists()


def test_a_baseline_is_a_file_or_the_folder_that_holds_it(tmp_path: Path) -> None:
    write_record(stored_at("a" * 40), tmp_path / "record.json")
    of_folder, of_file = stored_baseline(tmp_path), stored_baseline(tmp_path / "record.json")
    assert of_folder.record == of_file.record == stored_at("a" * 40)
    assert of_folder.folder == of_file.folder == tmp_path
    assert of_folder.facts == BaselineFacts(origin=f"record `{tmp_path}`", commit="a" * 40, present=True)


@pytest.mark.attack("Records from elsewhere")
def test_a_baseline_of_uncommitted_changes_says_so() -> None:
    """Its commit was named as if it had been measured."""
    found = as_baseline(changed(record(commit="a" * 40), dirty=True), "record `out`")
    assert found.facts.origin == "record `out`, measured with uncommitted changes"


def test_a_baseline_that_is_not_there_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"`.*/record.json` does not exist") as raised:
        stored_baseline(tmp_path)
    assert "--base" in raised.value.hint


def test_no_baseline_says_why() -> None:
    found = no_baseline("none: it is gone", "c" * 40)
    assert (found.record, found.facts.present, found.facts.commit) == (None, False, "c" * 40)
    assert found.facts.origin == "none: it is gone"
