"""Runs one command as another user of the machine, and lets none of that user's processes outlive it.

Without another user it is the same as far as the system allows: Linux alone knows orphans. Started as root,
with the order as one line of JSON on standard input; after it, standard input carries the numbers of signals
for the command, a line each, and its end means that the parent of this process is gone.
Standard library only.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_NO_NEW_PRIVILEGES = 38
"""Of Linux's prctl: neither sudo nor a set-user-ID program gives the command another user."""
_ADOPT_ORPHANS = 36
"""Of Linux's prctl: what the command leaves behind becomes a child of this process, to be ended by it."""
_PATIENCE_S = 10.0
_POLL_S = 0.05


def main() -> int:
    """Carry out the order; the exit code is the command's, or 128 and the signal that ended it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    order = json.loads(_line())
    user = pwd.getpwnam(order["user"]) if order["user"] else None
    if user is not None:
        _wait_for_the_keeper_before(order["lock"])
        for path in order["owned"]:
            _give(Path(path), user.pw_uid, user.pw_gid)
    child = subprocess.Popen(
        order["command"],
        cwd=order["folder"],
        env=order["environment"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: _become(user),  # noqa: PLW1509 - there are no threads here
    )
    try:
        return _watch(child)
    finally:
        _end(child, user)
        if user is not None:
            for path in order["returned"]:
                _give(Path(path), *order["asker"])


def _wait_for_the_keeper_before(lock: str) -> None:
    """Holds the lock until this process ends: another keeper of this user would end our processes, too."""
    fcntl.flock(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), fcntl.LOCK_EX)


def _line() -> str:
    """One line of standard input, byte by byte: what follows it must stay unread."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            break
        line += byte
    return line.decode()


def _give(folder: Path, user: int, group: int) -> None:
    """Makes a user the owner of everything below a folder; links are given, not followed."""
    for path in _all_below(folder):
        if path.lstat().st_uid != user:
            os.lchown(path, user, group)


def _all_below(folder: Path) -> Iterator[Path]:
    yield folder
    for root, folders, files in os.walk(folder):
        yield from (Path(root) / name for name in (*folders, *files))


def _become(user: pwd.struct_passwd | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if user is None:
        return
    os.umask(0o022)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def _watch(child: "subprocess.Popen[bytes]") -> int:
    """Waits for the command, and passes signals on; the end of standard input ends it at once."""
    while child.poll() is None:
        readable, _, _ = select.select([0], [], [], _POLL_S)
        if readable:
            text = os.read(0, 64)
            if not text:
                child.kill()
                break
            for number in text.split():
                child.send_signal(int(number))
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end(child: "subprocess.Popen[bytes]", user: pwd.struct_passwd | None) -> None:
    """Ends the command's group, and every process of its user, in whatever session it hides."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    give_up = time.monotonic() + _PATIENCE_S
    if user is None:
        while _kill_children() and time.monotonic() < give_up:
            _bury()
        return
    if sys.platform == "darwin":  # launchd starts the agents of a user again
        subprocess.run(["/bin/launchctl", "bootout", f"user/{user.pw_uid}"], capture_output=True, check=False)
    _kill_all(user)
    _bury()
    while _has_processes(user) and time.monotonic() < give_up:
        _kill_all(user)
        _bury()


def _kill_children() -> bool:
    """Whether this process had a child left to end; on Linux every orphan of the command becomes one."""
    found = False
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            parent = int(status.read_text(errors="replace").rpartition(")")[2].split()[1])
            if parent == os.getpid():
                os.kill(int(status.parent.name), signal.SIGKILL)
                found = True
    return found


def _bury() -> None:
    """Waits a moment for those that were ended: one that is dead and not waited for still counts."""
    time.sleep(_POLL_S)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue


def _kill_all(user: pwd.struct_passwd) -> None:
    """Ends every process of the user: only one of that user may signal to all of them at once."""
    killer = os.fork()
    if killer == 0:
        try:
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(killer, 0)


def _has_processes(user: pwd.struct_passwd) -> bool:
    command = ["ps", "-U", str(user.pw_uid), "-o", "pid="]
    try:
        return bool(subprocess.run(command, capture_output=True, check=False).stdout.strip())
    except OSError:
        return False  # a bare container has no `ps`: all of them got the signal to end


if __name__ == "__main__":
    sys.exit(main())
