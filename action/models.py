"""Runs a command that runs the models' code: as a user of its own, where the machine has one to give.

``models.py --folder FOLDER [--user USER] [--own PATH] [--take] [--judged] -- COMMAND...``

FOLDER/theirs belongs to that user: home, temporary folder, a copy of the workspace, and ``out`` for results;
what ``--own`` names belongs to it while the command runs. The command's environment holds no credential, its
output no command for the runner. ``--take`` copies regular files of ``out`` to FOLDER/run. A signal to this
process reaches the command. Standard library only.
"""

import argparse
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
from coreml_gate.credentials import without_credentials

_TAKEN = re.compile(
    r"(?:base/)?(?:record|report)\.json"
    r"|models/[A-Za-z0-9][A-Za-z0-9._-]{0,99}/package\.mlpackage(?:/[\w. -]+){1,6}"
)
"""Results that later steps read; everything else stays where it is."""
_LARGEST = 4 * 10**9
"""Bytes of all results together."""
_GRACE_S = 5.0
_SIGNALLED = 128
"""And above: exit codes of what a signal ended."""
_LINE_END = re.compile(rb"\r\n|\r|\n")
_COMMAND = re.compile(rb"^\s*::(?!group::|endgroup::)")
_OWN_FOLDERS = ("home", "tmp", "out")


def main() -> int:
    """Run the command; with ``--judged`` a run that left a Record has done its work, whatever the verdict."""
    options = parse()
    theirs = options.folder / "theirs"
    for name in _OWN_FOLDERS:
        (theirs / name).mkdir(parents=True, exist_ok=True)
    if not options.user:
        trust_the_workspace(theirs / "home")
    code = run(options, theirs)
    if options.take:
        take(theirs / "out", options.folder / "run")
        keep_rebuilt_base(options.folder)
    judged = options.judged and (options.folder / "run" / "record.json").is_file()
    return 0 if judged and code < _SIGNALLED else code


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--user", default="")
    parser.add_argument("--own", action="append", default=[])
    parser.add_argument("--take", action="store_true")
    parser.add_argument("--judged", action="store_true")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def trust_the_workspace(home: Path) -> None:
    """Lets git read a workspace of another user, as in a container: this home has no settings of git."""
    if Path.cwd().stat().st_uid != os.geteuid():
        (home / ".gitconfig").write_text(f"[safe]\n\tdirectory = {json.dumps(str(Path.cwd()))}\n")


def run(options: argparse.Namespace, theirs: Path) -> int:
    """Starts the keeper, hands it the order and later signals, and shows what the command says."""
    keeper = [sys.executable, "-I", str(Path(__file__).with_name("keeper.py"))]
    root = [] if os.geteuid() == 0 or not options.user else ["sudo", "-n"]
    process = subprocess.Popen(
        [*root, *keeper], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    requests, output = process.stdin, process.stdout
    if requests is None or output is None:
        raise RuntimeError

    def pass_on(number: int, _: object) -> None:
        try:
            os.write(requests.fileno(), b"%d\n" % number)
        except OSError:
            return  # it has ended already

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    requests.write(json.dumps(order(options, theirs)).encode() + b"\n")
    requests.flush()
    shown = threading.Thread(target=show, args=(output,), daemon=True)
    shown.start()
    code = process.wait()
    shown.join(_GRACE_S)  # whatever escaped the keeper may hold its output open for ever
    return code


def order(options: argparse.Namespace, theirs: Path) -> dict[str, object]:
    workspace = theirs / "workspace"
    folder = workspace if workspace.is_dir() else Path.cwd()
    own = {"HOME": str(theirs / "home"), "TMPDIR": str(theirs / "tmp"), "GITHUB_WORKSPACE": str(folder)}
    if options.user:
        own |= {"USER": options.user, "LOGNAME": options.user}
    kept = {
        name: value for name, value in without_credentials(os.environ).items() if not name.startswith("XDG_")
    }
    return {
        "user": options.user,
        "command": options.command,
        "folder": str(folder),
        "environment": kept | own,
        "owned": [str(theirs), *options.own],
        "returned": [str(theirs / "out"), *options.own],
        "asker": [os.getuid(), os.getgid()],
        "lock": str(options.folder.parent / f"{options.user}.lock"),
    }


def show(output: BinaryIO) -> None:
    """Prints what the command says; a line that the runner would obey is shown and does nothing."""
    for line in lines(output):
        sys.stdout.buffer.write(harmless(line) + b"\n")
        sys.stdout.buffer.flush()


def lines(output: BinaryIO) -> Iterator[bytes]:
    """Lines as the runner sees them: it ends one at a carriage return, too."""
    rest = b""
    while piece := output.read1(1 << 16) if hasattr(output, "read1") else output.read(1 << 16):
        *whole, rest = _LINE_END.split(rest + piece)
        yield from whole
    if rest:
        yield rest


def harmless(line: bytes) -> bytes:
    return _COMMAND.sub(b": :", line.lstrip(b"\xef\xbb\xbf")).replace(b"##[", b"# #[")


def take(source: Path, target: Path) -> None:
    """Copies results: regular files of known names, since a link could show any file of this user."""
    room = _LARGEST
    for path in files(source):
        name = path.relative_to(source).as_posix()
        if _TAKEN.fullmatch(name):
            room -= copied(path, target / name, room)


def keep_rebuilt_base(folder: Path) -> None:
    """A base that was measured here, as a whole or in part, is what later steps compare with."""
    rebuilt, kept = folder / "run" / "base" / "record.json", folder / "baseline" / "record.json"
    if rebuilt.is_file():
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(rebuilt, kept)


def files(folder: Path) -> Iterator[Path]:
    if not folder.is_symlink() and folder.is_dir():
        for root, _, names in os.walk(folder):
            yield from (Path(root) / name for name in sorted(names))


def copied(path: Path, target: Path, room: int) -> int:
    """The bytes that were copied: none of a link, and none of what this user may not read."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return 0
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            return 0
        if found.st_size > room:
            words = f"the results are larger than {_LARGEST:,} bytes: measure fewer models in one job."
            sys.exit(f"::error title=coreml-gate::{words}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as copy:
            shutil.copyfileobj(file, copy)
    return found.st_size


if __name__ == "__main__":
    sys.exit(main())
