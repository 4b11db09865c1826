"""Makes room for one use of the action, and a user for the models' code where the machine allows it.

``isolation.py FOLDER-OF-THE-ACTION measures|reports`` prints lines ``name=value``: ``base`` (kept between
uses), ``folder`` (of this use), ``user`` (empty where there is none), ``gate`` (a copy of the action, which
this user can read).

Without root, the base lies in the runner's temporary folder. With it, it lies outside of the home of the
runner's user, which other users often may not enter. Standard library only.
"""

import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

_BASES = Path(os.environ.get("COREML_GATE_FOLDER", "/opt/coreml-gate"))
"""Where the environments and this use's folder lie; another user must be able to enter it."""
_PARTS = ("action", "src", "pyproject.toml", "constraints.txt")
_DAY_S = 86_400
_FIRST_ID, _LAST_ID = 701, 799
"""Of users that macOS does not show."""
_SECTION = re.compile(r"^\s*\[\s*([\w.-]+)")
_KEPT_SECTIONS = frozenset({"core", "extensions", "remote", "branch", "submodule", "lfs"})
_USER_IN_URL = re.compile(r"(\w+://)[^/@\s]*@")
_RUN_PYTHON = """
import os, pwd, sys
user = pwd.getpwnam(sys.argv[1])
os.setgroups([])
os.setgid(user.pw_gid)
os.setuid(user.pw_uid)
os.execv(sys.executable, [sys.executable, "-I", "-c", ""])
"""
"""Whether a user can run this very interpreter: on a self-hosted machine it may lie in another one's home."""
_SECRET_LINE = re.compile(
    r"^\s*(?:extraheader|helper|askpass|sshcommand|fsmonitor|hookspath)\b", re.IGNORECASE
)


def main() -> None:
    """Print where everything is."""
    action, environ = Path(sys.argv[1]).resolve(), os.environ
    identity = f"{zlib.crc32(environ.get('COREML_GATE_FOLDER', environ['RUNNER_TEMP']).encode()):08x}"
    root = root_command() if sys.argv[2] == "measures" else None
    base = None if root is None else shared_base(root, identity)
    user = "" if root is None or base is None else other_user(root, f"cmlgate-{identity}")
    base = base or Path(environ["RUNNER_TEMP"]) / "coreml-gate"
    succeeds(
        [*(root or []), "rm", "-rf", str(base / "requirements")]
    )  # another run's models could write there
    folder = new_folder(base, root or [])
    copy_action(action, folder / "gate")
    (folder / "theirs").mkdir()
    if user:
        copy_workspace(Path(environ["GITHUB_WORKSPACE"]), folder / "theirs" / "workspace")
    for name, value in {"base": base, "folder": folder, "user": user, "gate": folder / "gate"}.items():
        sys.stdout.write(f"{name}={value}\n")


def root_command() -> list[str] | None:
    """What makes a command run as root without a password; ``None`` where nothing does."""
    if os.geteuid() == 0:
        return []
    try:
        works = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return None
    return ["sudo", "-n"] if works else None


def shared_base(root: Sequence[str], identity: str) -> Path | None:
    """A folder that is always the same for a runner, since the cache keeps an environment with its path."""
    base = _BASES / identity
    commands = (
        ["mkdir", "-p", str(base)],
        ["chown", str(os.getuid()), str(base)],
        ["chmod", "755", str(_BASES), str(base)],
    )
    return base if all(succeeds([*root, *command]) for command in commands) else None


def other_user(root: Sequence[str], name: str) -> str:
    """A user without rights, made if need be; empty where it cannot be made or cannot run this Python."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        if not all(succeeds([*root, *command]) for command in making(name)):
            return ""
    return name if succeeds([*root, sys.executable, "-I", "-c", _RUN_PYTHON, name]) else ""


def making(name: str) -> list[list[str]]:
    """The commands that make a user."""
    if sys.platform != "darwin":
        return [
            [
                "useradd",
                "--system",
                "--user-group",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                "/bin/false",
                name,
            ]
        ]
    taken = {each.pw_uid for each in pwd.getpwall()}
    number = str(next(each for each in range(_FIRST_ID, _LAST_ID) if each not in taken))
    group = [
        ["dscl", ".", "-create", f"/Groups/{name}"],
        ["dscl", ".", "-create", f"/Groups/{name}", "PrimaryGroupID", number],
    ]
    known = {
        "UniqueID": number,
        "PrimaryGroupID": number,
        "UserShell": "/usr/bin/false",
        "NFSHomeDirectory": "/var/empty",
        "IsHidden": "1",
    }
    user = [["dscl", ".", "-create", f"/Users/{name}", key, value] for key, value in known.items()]
    return [*group, ["dscl", ".", "-create", f"/Users/{name}"], *user]


def succeeds(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def new_folder(base: Path, root: Sequence[str] = ()) -> Path:
    """A folder for this use; those of other days, which hold what the models' user owns, are removed."""
    base.mkdir(parents=True, exist_ok=True)
    for old in base.glob("use.*"):
        if time.time() - old.stat().st_mtime > _DAY_S:
            succeeds([*root, "rm", "-rf", str(old)])
    folder = Path(tempfile.mkdtemp(prefix="use.", dir=base))
    folder.chmod(0o755)
    return folder


def copy_action(action: Path, target: Path) -> None:
    """The action's own files where the other user can read them, and cannot write."""
    target.mkdir()
    for part in _PARTS:
        copy = shutil.copytree if (action / part).is_dir() else shutil.copy
        copy(action / part, target / part)


def copy_workspace(workspace: Path, target: Path) -> None:
    """The workspace without the credentials that a checkout or another step left in it."""
    like = ["-Rpc"] if sys.platform == "darwin" else ["-a", "--reflink=auto"]
    subprocess.run(["cp", *like, str(workspace), str(target)], check=True)
    for left in target.glob("gha-creds-*.json"):
        left.unlink()
    for config in settings_of_git(target / ".git"):
        config.write_text(
            without_secrets(config.read_text(errors="surrogateescape")), errors="surrogateescape"
        )


def settings_of_git(folder: Path) -> list[Path]:
    """The settings of a repository and of its submodules."""
    found = [folder / "config", folder / "config.worktree", *folder.glob("modules/**/config")]
    return [path for path in found if path.is_file() and not path.is_symlink()]


def without_secrets(settings: str) -> str:
    """Git's settings without headers, helpers, includes and passwords, which may hold the job's token."""
    kept, keeps = [], True
    for line in settings.splitlines(keepends=True):
        section = _SECTION.match(line)
        keeps = section[1].lower() in _KEPT_SECTIONS if section else keeps
        if keeps and not _SECRET_LINE.match(line):
            kept.append(_USER_IN_URL.sub(r"\1", line))
    return "".join(kept)


if __name__ == "__main__":
    main()
