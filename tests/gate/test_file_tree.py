"""What lies in a tree, behind its links, and what is too much to look at."""

import hashlib
import os
from pathlib import Path

import pytest

from coreml_gate.errors import RepositoryError
from coreml_gate.gate import closure as closures
from coreml_gate.gate import file_tree
from coreml_gate.gate.closure import Closure, content
from coreml_gate.gate.file_tree import FileTree


def written(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


def test_the_files_of_a_folder_are_listed_through_links_and_sorted(tmp_path: Path) -> None:
    root, shared = tmp_path / "root", tmp_path / "shared"
    written(root, "net.mlpackage/b", "net.mlpackage/Data/a")
    written(shared, "weights/w.bin")
    (root / "net.mlpackage/Weights").symlink_to(shared / "weights")
    tree = FileTree(root)
    assert tree.files_below("net.mlpackage") == [
        "net.mlpackage/Data/a",
        "net.mlpackage/Weights/w.bin",
        "net.mlpackage/b",
    ]
    assert tree.files_below("net.mlpackage/b") == ["net.mlpackage/b"]
    assert tree.files_below("missing") == []


def test_a_folder_that_holds_itself_is_walked_once(tmp_path: Path) -> None:
    written(tmp_path, "data/a", "data/inner/b")
    (tmp_path / "data/inner/up").symlink_to("..")
    (tmp_path / "data/self").symlink_to(".")
    assert FileTree(tmp_path).files_below("data") == ["data/a", "data/inner/b"]


@pytest.mark.attack("what changed")
def test_a_link_to_everything_is_refused_with_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, everything = tmp_path / "root", tmp_path / "everything"
    written(everything, *(f"{folder}/{number}" for folder in "abc" for number in range(4)))
    written(root, "net.mlpackage/Manifest.json")
    (root / "net.mlpackage/Data").symlink_to(everything)
    monkeypatch.setattr(file_tree, "MOST_FILES", 13)
    assert len(FileTree(root).files_below("net.mlpackage")) == 13
    monkeypatch.setattr(file_tree, "MOST_FILES", 12)
    with pytest.raises(
        RepositoryError, match=r"`net.mlpackage` holds more than 12 files, those behind"
    ) as raised:
        FileTree(root).files_below("net.mlpackage")
    assert "`/`" in raised.value.hint


@pytest.mark.attack("what changed")
def test_a_link_that_is_gone_when_it_is_read_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in ``/proc``, whose links come and go."""
    written(tmp_path, "data/a")
    (tmp_path / "data/fd").symlink_to("nothing-there")
    tree = FileTree(tmp_path)
    assert tree.listing("data")["fd"].is_link
    (tmp_path / "data/fd").unlink()
    assert tree.end_of("data/fd") == "data/(gone)"
    assert tree.files_below("data") == ["data/a"]


def digest_of(root: Path, path: str) -> str:
    return content(root, Closure(frozenset({path}), frozenset()))


def test_the_content_is_that_of_every_byte_and_of_the_path(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(os.urandom(3 * 2**20 + 7))
    own = hashlib.sha256((tmp_path / "w.bin").read_bytes()).digest()
    assert digest_of(tmp_path, "w.bin") == hashlib.sha256(b"w.bin\0" + own).hexdigest()


@pytest.mark.attack("what changed")
def test_a_file_that_claims_more_than_any_model_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``/proc/kcore`` claims 128 TB, and reading it does not end."""
    monkeypatch.setattr(closures, "_MOST_BYTES", 1_000)
    (tmp_path / "large").write_bytes(b"x" * 1_001)
    (tmp_path / "fits").write_bytes(b"x" * 1_000)
    assert digest_of(tmp_path, "large") == hashlib.sha256(b"large\0" + bytes(32)).hexdigest()
    own = hashlib.sha256(b"x" * 1_000).digest()
    assert digest_of(tmp_path, "fits") == hashlib.sha256(b"fits\0" + own).hexdigest()


@pytest.mark.attack("what changed")
@pytest.mark.skipif(not Path("/proc/kmsg").exists(), reason="Linux has it")
def test_a_file_without_an_end_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/proc/kmsg")
    assert len(digest_of(tmp_path, "log")) == 64
