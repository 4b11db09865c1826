"""What a run needs only while it lasts, and what it asks for."""

import tempfile
from pathlib import Path

import pytest

from coreml_gate.errors import RepositoryError
from coreml_gate.gate.base import record_of
from coreml_gate.gate.request import Request, open_repository
from coreml_gate.gate.scratch import LONGEST, for_temporary_files, scratch


class Git:
    def __init__(self) -> None:
        self.forgotten = 0

    def forget_lost_worktrees(self) -> None:
        self.forgotten += 1


def test_the_folder_is_empty_and_goes_with_the_run(tmp_path: Path) -> None:
    with scratch(tmp_path, None) as folder:
        assert folder == tmp_path.resolve() / "tmp"
        assert list(folder.iterdir()) == []
        (folder / "tree").mkdir()
        (folder / "tree/file").write_text("x")
    assert not folder.exists()


def test_it_goes_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch(tmp_path, None) as folder:
        raise ZeroDivisionError
    assert not folder.exists()


def test_what_a_killed_run_left_goes_first_and_git_forgets_its_tree(tmp_path: Path) -> None:
    git = Git()
    (tmp_path / "tmp/tree").mkdir(parents=True)
    (tmp_path / "tmp/tree/left").write_text("x")
    with scratch(tmp_path, git) as folder:  # type: ignore[arg-type]
        assert list(folder.iterdir()) == []
        assert git.forgotten == 1
    assert git.forgotten == 2


def test_git_is_left_alone_where_nothing_was_left(tmp_path: Path) -> None:
    git = Git()
    manager = scratch(tmp_path, git)  # type: ignore[arg-type]
    with manager:
        assert git.forgotten == 0


@pytest.mark.parametrize(("length", "own"), [(LONGEST, True), (LONGEST + 1, False)])
def test_a_path_too_long_for_sockets_gives_way_to_the_systems(length: int, own: bool) -> None:
    folder = Path("/" + "a" * (length - 1))
    assert for_temporary_files(folder) == (folder if own else Path(tempfile.gettempdir()))


def test_a_name_counts_in_bytes() -> None:
    folder = Path("/" + "é" * (LONGEST // 2))
    assert for_temporary_files(folder) == Path(tempfile.gettempdir())


def test_earlier_records_are_those_of_the_output_and_the_baseline(tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text("{}")
    request = Request(root=tmp_path, output=tmp_path / "out")
    own = (tmp_path / "out/record.json", tmp_path / "out/base/record.json")
    assert request.earlier_records == own
    file = Request(root=tmp_path, output=tmp_path / "out", baseline=tmp_path / "kept.json")
    assert file.earlier_records == (*own, tmp_path / "kept.json")
    folder = Request(root=tmp_path, output=tmp_path / "out", baseline=tmp_path / "base")
    assert folder.earlier_records == (*own, tmp_path / "base/record.json")


def test_a_folder_without_git_can_be_measured_but_not_compared(tmp_path: Path) -> None:
    assert open_repository(Request(root=tmp_path, output=tmp_path), {}) is None
    with pytest.raises(RepositoryError):
        open_repository(Request(root=tmp_path, output=tmp_path, base="main"), {})


def test_the_record_of_a_commit_has_a_place_of_its_own(tmp_path: Path) -> None:
    request = Request(root=tmp_path, output=tmp_path / "out")
    assert record_of("a" * 40, request) == tmp_path / f"out/commits/{'a' * 40}/record.json"
