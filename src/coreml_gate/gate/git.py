"""Reading from git: commits, changed files, the text of a file at a commit, and a second work tree."""

import os
import posixpath
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from coreml_gate.errors import DirtyTreeError, MissingCommitError, RepositoryError
from coreml_gate.wording import counted, names_and_more

_SHOWN_FILES = 5
_SETTINGS = (
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "advice.detachedHead=false",
)
"""Run none of the user's hooks or monitors, and escape no path."""
_NAMES = ("--name-only", "--no-ext-diff", "--ignore-submodules=untracked", "-z")
"""Options of every ``git diff``."""
_KEPT_VARIABLES = ("GIT_CONFIG_", "GIT_EXEC_PATH", "GIT_SSL_")


def git_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for git: English, without prompts, and without the caller's repository.

    A hook or alias that starts the gate sets ``GIT_DIR`` and ``GIT_INDEX_FILE``, which would point every call
    to another repository.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith("GIT_") or name.startswith(_KEPT_VARIABLES)
    }
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


@dataclass(frozen=True)
class Repository:
    """A git work tree, or a folder of one with its own configuration; paths are relative to ``root``.

    In a repository of several projects, a file outside of the folder is written ``../other/file``.
    """

    root: Path
    executable: str
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def open(cls, folder: Path, environ: Mapping[str, str]) -> "Repository":
        """The repository around a folder, with paths relative to it (:class:`RepositoryError`)."""
        executable = shutil.which("git", path=environ.get("PATH"))
        if executable is None:
            raise RepositoryError(
                "git was not found on PATH.", "install git, with which the gate finds the files that changed."
            )
        outside = cls(folder, executable, git_environment(environ))
        answer = outside._run("rev-parse", "--show-toplevel")
        if answer.returncode != 0:
            raise _not_readable(folder, answer.stderr)
        return cls(folder.resolve(), executable, outside.environment)

    def commit(self, name: str) -> str:
        """The full id of a commit, branch or tag (:class:`MissingCommitError`)."""
        if not name.strip():
            raise MissingCommitError(
                "the name of a commit is empty.",
                "name a branch, a tag or a commit, such as `origin/main`: a variable may be empty.",
            )
        answer = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if answer.returncode != 0:
            raise MissingCommitError(f"commit `{name}` is not in this clone.", self._way_to(name))
        return answer.stdout.strip()

    def head(self) -> str | None:
        """The full id of HEAD, or ``None`` in a repository without commits."""
        answer = self._run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return answer.stdout.strip() if answer.returncode == 0 else None

    def merge_base(self, base: str, head: str) -> str:
        """The commit at which ``head`` left ``base``; all changes since then are those of ``head``."""
        base_commit, head_commit = self.commit(base), self.commit(head)
        answer = self._run("merge-base", base_commit, head_commit)
        if answer.returncode != 0:
            raise MissingCommitError(
                f"`{base}` and `{head}` have no common commit in this clone.", self._way_to(base)
            )
        return answer.stdout.strip()

    def parents(self, commit: str) -> tuple[str, ...]:
        """The full ids of a commit's parents; none at the first commit and at the end of a shallow clone."""
        return tuple(self._output("rev-list", "--parents", "--max-count=1", self.commit(commit)).split()[1:])

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Whether a commit is an ancestor of another one, or the same."""
        return self._run("merge-base", "--is-ancestor", ancestor, commit).returncode == 0

    def line(self, good: str, bad: str) -> tuple[str, ...]:
        """The commits of the branch from ``good`` to ``bad``, oldest first, along first parents."""
        listed = self._output(
            "rev-list", "--first-parent", "--reverse", f"{self.commit(good)}..{self.commit(bad)}"
        )
        return (self.commit(good), *listed.split())

    def moment(self, commit: str) -> tuple[str, int]:
        """When the commit was made, in ISO 8601, and how many commits precede it."""
        full = self.commit(commit)
        committed = self._output("show", "--no-patch", "--format=%cI", "--end-of-options", full).strip()
        return committed, int(self._output("rev-list", "--count", full)) - 1

    def changed_files(self, since: str, until: str | None = None) -> frozenset[str]:
        """Paths that differ between two commits, or between a commit and the work tree (without ``until``).

        The work tree includes untracked but not ignored files. Deleted paths count, renamed files count with
        both names, and so does a submodule whose commit moved, whatever ``.gitmodules`` ignores.
        """
        difference = ("diff", *_NAMES, "--no-relative", "--no-renames", since)
        commits = () if until is None else (until,)
        changed = self._from_root(_paths(self._output(*difference, *commits, "--")))
        if until is not None:
            return changed
        return changed | _paths(self._output("ls-files", "--others", "--exclude-standard", "-z"))

    def modified_files(self) -> tuple[str, ...]:
        """Tracked files that differ from HEAD, staged or not."""
        if self.head() is None:
            return ()
        return tuple(sorted(_paths(self._output("diff", *_NAMES, "--relative", "HEAD", "--"))))

    def tracked(self) -> frozenset[str]:
        """All paths in the index: files, links, and one path for each submodule."""
        return self._from_root(_paths(self._output("ls-files", "-z", "--full-name", "--", ":/")))

    def files(self) -> frozenset[str]:
        """All paths below the folder that are tracked or would be after ``git add``."""
        listed = ("ls-files", "--cached", "--others", "--exclude-standard", "-z")
        return frozenset(_paths(self._output(*listed)))

    def is_dirty(self) -> bool:
        """Whether tracked files have uncommitted changes."""
        return bool(self.modified_files())

    def require_clean(self) -> None:
        """Raise :class:`DirtyTreeError` if tracked files have uncommitted changes."""
        files = self.modified_files()
        if not files:
            return
        shown = names_and_more([f"`{file}`" for file in files], _SHOWN_FILES)
        raise DirtyTreeError(
            f"uncommitted changes in {counted(len(files), 'tracked file')}: {shown}.",
            "commit them, `git stash` them, or measure the work tree as it is with `--allow-dirty`.",
        )

    def read_file(self, commit: str, path: str) -> str | None:
        """The text of a file at a commit, also behind links; ``None`` if none is found."""
        if "\n" in path:  # would be a second file; git reads zeros as ends only since 2.38
            return None
        answer = self._run("cat-file", "--batch", "--follow-symlinks", given=f"{commit}:./{path}\n")
        found, _, rest = answer.stdout.partition("\n")
        is_file = answer.returncode == 0 and found.split(" ")[1:2] == ["blob"]
        return rest.removesuffix("\n") if is_file else None

    @contextmanager
    def worktree(self, commit: str, folder: Path) -> Iterator[Path]:
        """A second work tree of a commit, removed at the end; yields the place of ``root`` in it.

        Leftovers of a killed run are removed first. Nothing is fetched: submodules are empty folders, and
        whether LFS files are data or pointers depends on the user's filters.
        """
        self._remove_worktree(folder)
        self._output("worktree", "add", "--detach", "--force", "--", str(folder), self.commit(commit))
        try:
            yield folder / self._prefix
        finally:
            self._remove_worktree(folder)

    def forget_lost_worktrees(self) -> None:
        """Make git forget work trees whose folders are gone."""
        self._run("worktree", "prune")

    def _from_root(self, paths: frozenset[str]) -> frozenset[str]:
        prefix = self._prefix
        return frozenset(posixpath.relpath(path, prefix) for path in paths) if prefix else paths

    @cached_property
    def _prefix(self) -> str:
        """The path of ``root`` in the repository, such as ``projects/ios``, or empty."""
        return self._output("rev-parse", "--show-prefix").strip().removesuffix("/")

    def _remove_worktree(self, folder: Path) -> None:
        self._run("worktree", "remove", "--force", "--force", "--", str(folder))
        shutil.rmtree(folder, ignore_errors=True)
        self.forget_lost_worktrees()

    def _way_to(self, name: str) -> str:
        if self.head() is None:
            return "this repository has no commits yet: commit first, or run without `--base`."
        if self._run("rev-parse", "--is-shallow-repository").stdout.strip() != "true":
            return f"check the name, or fetch it: `git fetch origin {name}`."
        return (
            "this clone is shallow: set `fetch-depth: 0` at actions/checkout, or run `git fetch --unshallow` "
            f"and `git fetch origin {name}`."
        )

    def _output(self, *arguments: str) -> str:
        answer = self._run(*arguments)
        if answer.returncode != 0:
            raise RepositoryError(
                f"`git {' '.join(arguments)}` failed: {_last_line(answer.stderr)}",
                f"run it in `{self.root}` to see all of its output.",
            )
        return answer.stdout

    def _run(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        return subprocess.run(
            [self.executable, *settings, *arguments],
            cwd=self.root,
            env=dict(self.environment),
            input=given or "",
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )


def _not_readable(folder: Path, said: str) -> RepositoryError:
    """Why git reads nothing here: a container often runs as another user than the owner of what it mounts."""
    if "dubious ownership" in said:
        return RepositoryError(
            f"`{folder}` belongs to another user, so git reads nothing of it.",
            f"allow it: `git config --global --add safe.directory {folder}`, or run as its owner.",
        )
    return RepositoryError(
        f"`{folder}` is not in a git work tree: {_last_line(said)}",
        "run inside the repository, or check it out with actions/checkout first.",
    )


def _paths(listed: str) -> frozenset[str]:
    return frozenset(listed.split("\0")) - {""}


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2] or "git gave no reason."
