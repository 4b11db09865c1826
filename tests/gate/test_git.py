"""Git's answers in real repositories: clean, dirty, branched and shallow."""

from pathlib import Path

import pytest

from coreml_gate.errors import DirtyTreeError, MissingCommitError, RepositoryError
from coreml_gate.gate.git import Repository, git_environment
from tests.gate.conftest import Folder


@pytest.fixture
def shallow(folder: Folder, tmp_path: Path) -> Folder:
    folder.commit({"a.py": "1"})
    folder.commit({"a.py": "2"})
    folder.git("clone", "--quiet", "--depth", "1", f"file://{folder.root}", str(tmp_path / "clone"))
    return Folder(tmp_path / "clone", folder.environ)


@pytest.mark.attack("what changed")
@pytest.mark.parametrize("name", ["", " ", "\n"])
def test_an_empty_name_of_a_commit_is_said_to_be_empty(folder: Folder, name: str) -> None:
    """The way out was `git fetch origin` with nothing behind it."""
    with pytest.raises(MissingCommitError, match="is empty") as raised:
        folder.repository.commit(name)
    assert "origin/main" in raised.value.hint


def test_paths_are_relative_to_the_folder_that_was_opened(folder: Folder, tmp_path: Path) -> None:
    first = folder.commit({"ios/net.py": "1", "server/net.py": "1", "uv.lock": "1"})
    folder.commit({"ios/net.py": "2", "server/net.py": "2", "uv.lock": "2"})
    project = Repository.open(folder.root / "ios", folder.environ)
    assert project.changed_files(first) == {"net.py", "../server/net.py", "../uv.lock"}
    assert project.read_file(first, "../uv.lock") == "1"
    assert project.read_file(first, "net.py") == "1"
    with project.worktree(first, tmp_path / "base") as tree:
        assert (tree / "net.py").read_text() == "1"


def test_a_merge_has_two_parents_and_a_first_commit_none(folder: Folder) -> None:
    first = folder.commit({"a.py": "1"})
    folder.git("checkout", "--quiet", "-b", "topic")
    head = folder.commit({"b.py": "1"})
    folder.git("checkout", "--quiet", "main")
    base = folder.commit({"a.py": "2"})
    folder.git("merge", "--quiet", "--no-ff", "-m", "Merge", "topic")
    repository = folder.repository

    assert repository.parents("HEAD") == (base, head)
    assert repository.parents(first) == ()
    assert repository.is_ancestor(first, head)
    assert repository.is_ancestor(head, head)
    assert not repository.is_ancestor(head, base)


def test_a_folder_outside_of_git_is_an_error(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(RepositoryError, match="is not in a git work tree"):
        Repository.open(tmp_path, environ)


def test_without_git_the_message_says_so(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="git was not found on PATH"):
        Repository.open(tmp_path, {"PATH": str(tmp_path)})


def test_a_hooks_own_variables_do_not_lead_elsewhere(folder: Folder, tmp_path: Path) -> None:
    environ = git_environment(
        {**folder.environ, "GIT_DIR": str(tmp_path), "GIT_INDEX_FILE": "x", "LC_ALL": "de_DE"}
    )
    assert "GIT_DIR" not in environ
    assert "GIT_INDEX_FILE" not in environ
    assert (environ["LC_ALL"], environ["GIT_TERMINAL_PROMPT"]) == ("C", "0")
    assert environ["GIT_CONFIG_NOSYSTEM"] == "1"


def test_changes_are_those_since_the_branch_left(folder: Folder) -> None:
    fork = folder.commit({"kept.py": "1", "old.py": "renamed without a change\n" * 9, "gone.py": "1"})
    folder.git("checkout", "--quiet", "-b", "topic")
    head = folder.commit(
        {"old.py": None, "new.py": "renamed without a change\n" * 9, "gone.py": None, "ä b.py": ""}
    )
    folder.git("checkout", "--quiet", "main")
    folder.commit({"kept.py": "changed on main only"})
    folder.git("checkout", "--quiet", "topic")
    repository = folder.repository
    assert repository.merge_base("main", "HEAD") == fork
    assert repository.commit("topic") == head
    assert repository.changed_files(fork, head) == {"old.py", "new.py", "gone.py", "ä b.py"}


def test_the_work_tree_has_its_own_changes(folder: Folder) -> None:
    base = folder.commit({"a.py": "1", "b.py": "1", ".gitignore": "*.log\n"})
    assert folder.repository.changed_files(base) == frozenset()
    folder.write({"a.py": "2", "untracked.py": "", "ignored.log": ""})
    folder.git("add", "a.py")
    folder.write({"b.py": None})
    assert folder.repository.changed_files(base) == {"a.py", "b.py", "untracked.py"}
    assert folder.repository.changed_files(base, "HEAD") == frozenset()


def test_a_dirty_tree_names_the_first_files(folder: Folder) -> None:
    names = [f"{number}.py" for number in range(7)]
    folder.commit(dict.fromkeys(names, "1"))
    folder.repository.require_clean()
    folder.write({"untracked.py": ""})
    assert not folder.repository.is_dirty()
    folder.write(dict.fromkeys(names, "2"))
    with pytest.raises(DirtyTreeError) as raised:
        folder.repository.require_clean()
    assert "7 tracked files" in raised.value.message
    assert "`0.py`, `1.py`, `2.py`, `3.py`, `4.py` and 2 more." in raised.value.message
    assert "--allow-dirty" in raised.value.hint


def test_an_unknown_commit_in_a_full_clone_is_no_matter_of_depth(folder: Folder) -> None:
    folder.commit({"a.py": ""})
    with pytest.raises(MissingCommitError, match="commit `topic` is not in this clone") as raised:
        folder.repository.commit("topic")
    assert "fetch-depth" not in raised.value.hint


def test_a_name_that_looks_like_an_option_is_a_name(folder: Folder) -> None:
    folder.commit({"a.py": ""})
    with pytest.raises(MissingCommitError):
        folder.repository.commit("--all")


def test_a_shallow_clone_says_how_to_get_the_base(folder: Folder, shallow: Folder) -> None:
    first = folder.git("rev-parse", "HEAD~1")
    with pytest.raises(MissingCommitError) as raised:
        shallow.repository.commit(first)
    assert "fetch-depth: 0" in raised.value.hint
    assert "git fetch --unshallow" in raised.value.hint
    assert f"git fetch origin {first}" in raised.value.hint


def test_a_missing_merge_base_in_a_shallow_clone_says_the_same(folder: Folder, shallow: Folder) -> None:
    folder.git("checkout", "--quiet", "-b", "topic", "HEAD~1")
    folder.commit({"topic.py": ""})
    shallow.git("fetch", "--quiet", "--depth", "1", "origin", "topic:topic")
    with pytest.raises(MissingCommitError, match="`topic` and `HEAD` have no common commit") as raised:
        shallow.repository.merge_base("topic", "HEAD")
    assert "fetch-depth: 0" in raised.value.hint


def test_read_file_tells_then_from_now(folder: Folder) -> None:
    first = folder.commit({"a.py": "then\n"})
    second = folder.commit({"a.py": "now\n"})
    repository = folder.repository
    assert [repository.read_file(commit, "a.py") for commit in (first, second)] == ["then\n", "now\n"]
    assert repository.read_file(first, "b.py") is None
    assert repository.read_file(first, "a.py\nother.py") is None, "not the file of its first line"


def test_a_worktree_holds_the_commit_and_is_removed(folder: Folder, tmp_path: Path) -> None:
    first = folder.commit({"a.py": "then"})
    folder.commit({"a.py": "now"})
    with folder.repository.worktree(first, tmp_path / "base") as tree:
        assert (tree / "a.py").read_text() == "then"
        (tree / "build.log").write_text("left by the run")
    assert not (tmp_path / "base").exists()
    assert folder.git("worktree", "list").count("\n") == 0


def test_a_worktree_is_removed_after_an_error_and_over_left_overs(folder: Folder, tmp_path: Path) -> None:
    first = folder.commit({"a.py": "then"})
    folder.git("worktree", "add", "--detach", str(tmp_path / "base"), first)
    (tmp_path / "base" / "a.py").write_text("left by a run that was killed")

    def fail_inside() -> None:
        with folder.repository.worktree(first, tmp_path / "base") as tree:
            assert (tree / "a.py").read_text() == "then"
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert folder.git("worktree", "list").count("\n") == 0


def test_no_hook_of_the_user_runs(folder: Folder, tmp_path: Path) -> None:
    commit = folder.commit({"a.py": ""})
    hook = folder.root / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'hook-ran'}\n")
    hook.chmod(0o755)
    with folder.repository.worktree(commit, tmp_path / "base"):
        pass
    assert not (tmp_path / "hook-ran").exists()
