"""Two commits in, one verdict out: through real git and, where numbers matter, real children."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.cli import main
from coreml_gate.config import Config
from coreml_gate.gate import run as gate_run
from coreml_gate.gate import scratch
from coreml_gate.gate.baseline import Baseline
from coreml_gate.gate.collect import RunContext
from coreml_gate.gate.request import Request
from coreml_gate.record import Record
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from tests.gate.conftest import Folder
from tests.warm import ENVIRONMENT, WARM

CONFIG = """
[[model]]
name = "sum"
source = "models/total.py:build"
samples = "models/total.py:samples"
output = ["total"]

[[model]]
name = "other"
source = "models/other.py:build"
samples = "models/total.py:samples"
"""
SAFE = """
import torch


class Total(torch.nn.Module):
    def forward(self, x):
        return (x * 0.001).sum(dim=1, keepdim=True)


def build():
    return Total()


def samples():
    return [torch.full((1, 4096), 30.0 + number) for number in range(2)]
"""
FILES = ("models/total.py", "models/other.py")
OVERFLOWS = SAFE.replace("(x * 0.001).sum(dim=1, keepdim=True)", "x.sum(dim=1, keepdim=True) * 0.001")


class Outcome:
    """What one run of the command line left behind."""

    def __init__(self, root: Path, arguments: tuple[str, ...]) -> None:
        self.out = StringIO()
        self.err = StringIO()
        out, err = Screen(self.out, width=100), Screen(self.err)
        around = Surroundings(root, ENVIRONMENT, out, err, WARM)
        self.exit_code = main(("run", *arguments), around)
        self.folder = root / ".coreml-gate"

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return report

    def statuses(self, model: str) -> dict[str, str]:
        found = next(item for item in self.report["models"] if item["name"] == model)
        return {finding["check"]: finding["status"] for finding in found["findings"]}


def run(folder: Folder, *arguments: str) -> Outcome:
    return Outcome(folder.root, arguments)


@pytest.fixture
def project(folder: Folder) -> Folder:
    folder.commit(
        {
            "coreml-gate.toml": CONFIG,
            "models/total.py": SAFE,
            "models/other.py": SAFE,
            ".gitignore": ".coreml-gate/\n",
        }
    )
    folder.git("checkout", "--quiet", "-b", "topic")
    return folder


def test_a_change_that_overflows_in_half_precision_is_stopped(project: Folder) -> None:
    project.commit({"models/total.py": OVERFLOWS})

    outcome = run(project, "--base", "main")

    assert outcome.exit_code == 1
    statuses = outcome.statuses("sum")
    assert (statuses["conversion"], statuses["parity"], statuses["precision"]) == ("pass", "pass", "fail")
    assert [model["name"] for model in outcome.report["skipped"]] == []
    assert outcome.report["baseline"]["present"]
    base = json.loads((outcome.folder / "base" / "record.json").read_text())
    assert base["commit"] == project.git("rev-parse", "main")
    assert (outcome.folder / "base" / "models" / "sum" / "package.mlpackage").is_dir()
    assert (outcome.folder / "models" / "sum" / "package.mlpackage").is_dir()
    assert "total" in (outcome.folder / "comment.md").read_text()
    assert project.git("worktree", "list").count("\n") == 0


def policy(outcome: Outcome) -> list[str]:
    return [each["message"] for each in outcome.report["findings"] if each["check"] == "policy"]


@pytest.mark.attack("what changed")
@pytest.mark.usefixtures("recorded")
def test_a_change_that_alters_its_own_limits_or_takes_a_model_out_says_so(project: Folder) -> None:
    own, other = CONFIG.strip().split("\n\n")
    project.commit({"coreml-gate.toml": f"{own}\n[model.limits]\nparity = {{ max-error = 1000 }}\n"})
    (message,) = policy(run(project, "--base", "main"))
    assert message == (
        "2 keys of the gate's configuration changed: `limits.parity.max-error` of `sum`: 0.0001 → 1000.0; "
        "`model` of `other`: gated → removed. Judged with the limits as they are now."
    )
    project.commit({"coreml-gate.toml": f"{own}\n\n{other}\n"})
    assert policy(run(project, "--base", "main", "--model", "sum")) == []


@pytest.mark.usefixtures("recorded")
def test_a_model_whose_files_did_not_change_is_skipped_with_the_reason(project: Folder) -> None:
    project.commit({"models/other.py": SAFE + "\n# a remark\n"})

    outcome = run(project, "--base", "main")

    assert outcome.exit_code == 0
    assert [model["name"] for model in outcome.report["models"]] == ["other"]
    assert outcome.report["skipped"][0]["name"] == "sum"
    assert outcome.report["skipped"][0]["reason"].startswith("unchanged since ")


def test_the_stand_in_rehearses_what_a_mac_does_and_never_passes_for_one(project: Folder) -> None:
    project.commit({"models/total.py": SAFE.replace("0.001", "0.002")})
    options = "[gate]\ntime-budget-s = 0.001\ncore-ml-units = ['CPU_ONLY', 'ALL']\n"
    project.write({"coreml-gate.toml": options + CONFIG})

    outcome = run(project, "--base", "main", "--allow-dirty", "--model", "sum", "--core-ml", "stand-in")

    assert outcome.report["engine"] == "mil+stand-in"
    (model,) = outcome.report["models"]
    found = {(each["check"], each["subject"]): each for each in model["findings"]}
    for units in ("CPU_ONLY", "ALL"):
        answer = found["coreml-parity", f"stand-in {units}"]
        assert answer["status"] == "pass"
        assert answer["details"][-2:] != []
        assert "not Core ML" in answer["message"]
    timed = found["latency", "predict (stand-in)"]
    assert timed["status"] == "unsure"
    assert timed["value"] > 0
    assert "20 pairs from 1 fresh start" in timed["message"]
    record = json.loads((outcome.folder / "record.json").read_text())
    facts = record["models"][0]["core_ml"]
    assert facts["machine"]["stand_in"] == "coreml-gate stand-in"
    assert facts["timing"]["stopped"] == "time budget"
    assert facts["timing"]["base_package"] != facts["timing"]["head_package"]
    assert facts["runs"][1]["against_units"][0]["max_abs_error"] == 0
    assert "no number is Core ML" in (outcome.folder / "comment.md").read_text()


@pytest.mark.usefixtures("recorded")
def test_what_core_ml_keeps_for_a_moment_goes_with_the_run_even_if_that_is_killed(
    project: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run clears the folder; in the system's own a compiled model would stay for ever."""
    folders: list[Path] = []

    def with_core_ml(_: Request, __: Config, head: Record, ___: Baseline, context: RunContext) -> Record:
        folders.append(Path(context.environment["TMPDIR"]))
        assert folders[0].is_dir()
        return head

    monkeypatch.setattr(gate_run, "with_core_ml", with_core_ml)
    monkeypatch.setattr(scratch, "LONGEST", 4096)
    run(project, "--base", "main")
    assert folders == [project.root.resolve() / ".coreml-gate/tmp"]
    assert not folders[0].exists()


@pytest.mark.usefixtures("recorded")
def test_a_base_that_does_not_build_blocks_nobody_and_is_named(project: Folder) -> None:
    project.git("checkout", "--quiet", "main")
    project.commit({"models/other.py": "import no_such_module\n"})
    project.git("checkout", "--quiet", "-B", "topic")
    project.commit({"models/other.py": SAFE})

    outcome = run(project, "--base", "main", "--model", "other")

    assert outcome.exit_code == 0
    assert "no_such_module" in (outcome.folder / "comment.md").read_text()


@pytest.mark.usefixtures("recorded")
def test_a_base_without_a_readable_configuration_is_named(project: Folder) -> None:
    project.git("checkout", "--quiet", "main")
    project.commit({"coreml-gate.toml": "[[model]\n"})
    project.git("checkout", "--quiet", "-B", "topic")
    project.commit({"coreml-gate.toml": CONFIG})

    outcome = run(project, "--base", "main", "--model", "other")

    assert outcome.exit_code == 0
    assert outcome.report["baseline"]["present"] is False
    assert "this is not TOML" in outcome.report["baseline"]["origin"]


@pytest.mark.usefixtures("recorded")
def test_a_strict_gate_stops_at_a_base_that_cannot_be_read(project: Folder) -> None:
    project.git("checkout", "--quiet", "main")
    project.commit({"coreml-gate.toml": "[[model]\n"})
    project.git("checkout", "--quiet", "-B", "topic")
    project.commit({"coreml-gate.toml": "[gate]\nfail-on-unsure = true\n" + CONFIG})

    outcome = run(project, "--base", "main", "--model", "other")

    assert outcome.exit_code == 14
    assert "configuration of the base commit" in outcome.err.getvalue()


@pytest.mark.usefixtures("recorded")
def test_uncommitted_changes_are_refused_until_allowed(project: Folder) -> None:
    project.write({"models/other.py": SAFE + "\n# not committed\n"})

    refused = run(project, "--base", "main")
    assert refused.exit_code == 13
    assert "`models/other.py`" in refused.err.getvalue()
    assert "--allow-dirty" in refused.err.getvalue()

    allowed = run(project, "--base", "main", "--allow-dirty")
    assert allowed.exit_code == 0
    assert allowed.report["dirty"]
    assert [model["name"] for model in allowed.report["models"]] == ["other"]


def test_a_shallow_clone_without_the_base_says_how_to_get_it(project: Folder, tmp_path: Path) -> None:
    project.commit({"models/other.py": SAFE + "\n"})
    project.git("clone", "--quiet", "--depth", "1", f"file://{project.root}", str(tmp_path / "shallow"))

    outcome = Outcome(tmp_path / "shallow", ("--base", project.git("rev-parse", "main")))

    assert outcome.exit_code == 12
    assert "fetch-depth: 0" in outcome.err.getvalue()


@pytest.mark.usefixtures("recorded")
def test_a_stored_baseline_takes_the_place_of_a_rebuild(project: Folder) -> None:
    first = run(project, "--model", "sum", "--output", ".coreml-gate/stored")
    assert first.exit_code == 0
    project.commit({"models/total.py": OVERFLOWS})

    outcome = run(project, "--model", "sum", "--baseline", ".coreml-gate/stored")

    assert outcome.exit_code == 1
    assert "stored" in outcome.report["baseline"]["origin"]
    precision = next(item for item in outcome.report["models"][0]["findings"] if item["check"] == "precision")
    assert precision["status"] == "fail"


@pytest.mark.usefixtures("recorded")
def test_an_older_stored_baseline_serves_only_models_that_did_not_change_since(project: Folder) -> None:
    stored = run(project, "--output", ".coreml-gate/stored")
    assert stored.exit_code == 0
    kept = json.loads((project.root / ".coreml-gate/stored/record.json").read_text())["models"][0]["package"]
    package = project.root / ".coreml-gate" / "stored" / kept["path"]
    package.mkdir(parents=True)
    (package / "Manifest.json").write_text("{}")
    older = project.git("rev-parse", "HEAD")
    project.commit({"models/other.py": (project.root / "models/other.py").read_text() + "\n# moved on\n"})
    base = project.git("rev-parse", "HEAD")
    touched = {name: (project.root / name).read_text() + "\n# topic\n" for name in FILES}
    project.commit(touched)

    outcome = run(project, "--base", base, "--baseline", ".coreml-gate/stored")

    origin = outcome.report["baseline"]["origin"]
    assert origin.endswith(f"; `other` measured again at {base[:7]}: changed since {older[:7]}")
    merged = json.loads((outcome.folder / "base" / "record.json").read_text())
    assert sorted(model["name"] for model in merged["models"]) == ["other", "sum"]
    assert (outcome.folder / "base" / kept["path"] / "Manifest.json").exists()


@pytest.mark.usefixtures("recorded")
def test_an_older_stored_baseline_that_still_holds_is_taken_as_it_is(project: Folder) -> None:
    run(project, "--output", ".coreml-gate/stored")
    project.commit({"README.md": "moved on"})
    base = project.git("rev-parse", "HEAD")
    project.commit({"models/total.py": SAFE + "\n# topic\n"})

    outcome = run(project, "--base", base, "--baseline", ".coreml-gate/stored", "--model", "sum")

    assert "measured again" not in outcome.report["baseline"]["origin"]
    assert not (outcome.folder / "base").exists()


@pytest.mark.usefixtures("recorded")
def test_without_a_rebuild_a_changed_model_has_no_baseline(project: Folder) -> None:
    run(project, "--output", ".coreml-gate/stored")
    older = project.git("rev-parse", "HEAD")
    project.commit({"models/other.py": (project.root / "models/other.py").read_text() + "\n# moved on\n"})
    base = project.git("rev-parse", "HEAD")
    project.commit({"models/other.py": (project.root / "models/other.py").read_text() + "\n# topic\n"})

    outcome = run(project, "--base", base, "--baseline", ".coreml-gate/stored", "--no-rebuild")

    assert f"; `other` left out: changed since {older[:7]}" in outcome.report["baseline"]["origin"]


@pytest.mark.usefixtures("recorded")
def test_outside_of_git_every_model_is_judged_by_the_absolute_limits(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    (root / "models").mkdir(parents=True)
    (root / "models" / "total.py").write_text(SAFE)
    (root / "coreml-gate.toml").write_text(CONFIG.partition('[[model]]\nname = "other"')[0])

    outcome = Outcome(root, ())

    assert outcome.exit_code == 0
    assert outcome.report["commit"] is None


def test_a_variant_is_timed_against_the_package_that_ships_and_blocks_nothing(project: Folder) -> None:
    variants = '[[model.variant]]\nname = "wide"\nprecision = "float32"\n'
    options = "[gate]\ntime-budget-s = 0.001\ncore-ml-units = ['CPU_ONLY']\n"
    first, other = CONFIG.split('[[model]]\nname = "other"')
    text = f'{options}{first}{variants}[[model]]\nname = "other"{other}'
    project.write({"coreml-gate.toml": text, "models/total.py": OVERFLOWS})

    outcome = run(project, "--allow-dirty", "--model", "sum", "--core-ml", "stand-in")

    model = json.loads((outcome.folder / "record.json").read_text())["models"][0]
    (wide,) = model["variants"]
    assert wide["core_ml"]["timing"]["base_package"] == model["package"]["fingerprint"]
    assert wide["core_ml"]["timing"]["head_package"] == wide["package"]["fingerprint"]
    (judged,) = outcome.report["models"]
    assert judged["verdict"] == "fail"
    ships, candidate = judged["ranking"]["candidates"]
    assert (ships["eligible"], candidate["eligible"]) == ("no", "yes")
    assert judged["ranking"]["measured_on"] == ""
    assert "`wide` for compute" in (outcome.folder / "comment.md").read_text()


@pytest.mark.attack("what changed")
def test_a_baseline_is_read_before_any_models_code_runs(
    project: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[object] = []
    monkeypatch.setattr(gate_run, "collect_head", lambda *_: measured.append(1))
    outcome = run(project, "--baseline", "no-such-folder")
    assert (outcome.exit_code, measured) == (10, [])
    assert "no-such-folder" in outcome.err.getvalue()
