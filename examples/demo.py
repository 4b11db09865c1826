"""Plays changes of ``phone-models`` through real commits and the gate: is the verdict the expected one?

``python demo.py`` shows the comment on one change; ``python demo.py --all`` plays every change.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
BASE = EXAMPLES / "phone-models"
CHANGES = EXAMPLES / "changes"
DEFAULT_CHANGE = "fp16-overflow"
ASKED_OF_CORE_ML = frozenset({"coreml-parity", "latency", "footprint", "placement"})
"""What these say depends on the Mac, so no outcome is expected of them."""

GIT_ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "phone-models",
    "GIT_AUTHOR_EMAIL": "phone-models@example.com",
    "GIT_COMMITTER_NAME": "phone-models",
    "GIT_COMMITTER_EMAIL": "phone-models@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True)
class Outcome:
    """What the gate said: its exit code, and the failed checks of every model that it measured."""

    exit_code: int
    fails: dict[str, frozenset[str]]

    def __str__(self) -> str:
        models = [f"{name}: {_listed(checks)} failed" for name, checks in self.fails.items()]
        return f"exit code {self.exit_code}; {'; '.join(models) or 'no model measured'}"


def _listed(checks: frozenset[str]) -> str:
    return ", ".join(sorted(checks)) or "nothing"


@dataclass(frozen=True)
class Change:
    """A patch of the example repository."""

    name: str
    title: str
    expected: Outcome

    @property
    def patch(self) -> Path:
        """The unified diff."""
        return CHANGES / f"{self.name}.patch"


def read_changes() -> dict[str, Change]:
    """All changes by name, in the order of ``expected.toml``."""
    tables = tomllib.loads((CHANGES / "expected.toml").read_text(encoding="utf-8"))
    return {
        name: Change(
            name,
            table["title"],
            Outcome(table["exit-code"], dict.fromkeys(table["models"], frozenset(table["fails"]))),
        )
        for name, table in tables.items()
    }


def create_repository(folder: Path) -> None:
    """Commits the example repository as branch ``main`` of a new git repository."""
    left_out = shutil.ignore_patterns("__pycache__", ".*_cache", ".coreml-gate")
    shutil.copytree(BASE, folder, ignore=left_out, dirs_exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "Ship three models")


def apply_change(folder: Path, change: Change) -> None:
    """Commits the change on a branch of its own."""
    git(folder, "switch", "--quiet", "--create", change.name, "main")
    git(folder, "apply", str(change.patch))
    commit(folder, change.title)


def commit(folder: Path, title: str) -> None:
    """Commits everything in the work tree."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", f"--message={title}")


def git(folder: Path, *arguments: str) -> None:
    """Runs git without the user's own configuration."""
    subprocess.run(["git", *arguments], cwd=folder, env=os.environ | GIT_ENVIRONMENT, check=True)


def run_gate(folder: Path, core_ml: str = "auto") -> Outcome:
    """Runs the gate against ``main``; its own words are shown only when it could not do its work."""
    report = folder / ".coreml-gate" / "report.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "coreml_gate", "run", "--base", "main", "--core-ml", core_ml]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if not report.exists():
        print(finished.stdout + finished.stderr, file=sys.stderr)
        return Outcome(finished.returncode, {})
    models = json.loads(report.read_text(encoding="utf-8"))["models"]
    return Outcome(finished.returncode, {model["name"]: failed_checks(model) for model in models})


def failed_checks(model: dict[str, list[dict[str, str]]]) -> frozenset[str]:
    """The checks of one model in ``report.json`` that failed, the same on a Mac as elsewhere."""
    failed = {finding["check"] for finding in model["findings"] if finding["status"] == "fail"}
    return frozenset(failed - ASKED_OF_CORE_ML)


def play(folder: Path, change: Change, core_ml: str = "auto") -> bool:
    """Plays one change and says whether the outcome was the expected one."""
    apply_change(folder, change)
    outcome = run_gate(folder, core_ml)
    if outcome == change.expected:
        print(f"{change.name}: as expected: {outcome}", flush=True)
        return True
    print(f"{change.name}: NOT as expected: {outcome}\n  expected: {change.expected}", flush=True)
    return False


def show(folder: Path, change: Change, core_ml: str) -> bool:
    """Plays one change with its patch and the gate's comment."""
    print(f"# {change.title}\n\n{change.patch.read_text(encoding='utf-8')}", flush=True)
    expected = play(folder, change, core_ml)
    comment = folder / ".coreml-gate" / "comment.md"
    if comment.exists():
        print(f"\n{comment.read_text(encoding='utf-8')}")
    return expected


@contextmanager
def workspace(keep: Path | None) -> Iterator[Path]:
    """The folder to keep, or one that is deleted at the end."""
    if keep is not None:
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="phone-models-") as folder:
        yield Path(folder)


def parse_arguments(changes: dict[str, Change]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Plays changes of phone-models through the gate.")
    parser.add_argument(
        "change", nargs="?", default=DEFAULT_CHANGE, choices=changes, help="default: %(default)s"
    )
    parser.add_argument("--all", action="store_true", help="play every change and print one line for each")
    parser.add_argument(
        "--core-ml", choices=("auto", "off", "stand-in"), default="auto", help="as of `coreml-gate run`"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the git repository in this new folder")
    arguments = parser.parse_args()
    if arguments.keep is not None and arguments.keep.exists():
        parser.error(f"--keep {arguments.keep}: this exists already; name a new folder.")
    return arguments


def main() -> int:
    """Returns 0 when every change had its expected outcome, else 1."""
    changes = read_changes()
    arguments = parse_arguments(changes)
    with workspace(arguments.keep) as folder:
        create_repository(folder)
        if arguments.all:
            surprises = [
                change.name for change in changes.values() if not play(folder, change, arguments.core_ml)
            ]
            return 1 if surprises else 0
        return 0 if show(folder, changes[arguments.change], arguments.core_ml) else 1


if __name__ == "__main__":
    sys.exit(main())
