"""A process that only imports libraries, so that its forks are children that need no import.

``python -m coreml_gate.children.fork_server MODULE...`` imports the modules. It serves only if this started
no thread and ran no code from outside the installation. Each request is one byte on standard input, a socket,
with four descriptors: an :class:`Order`, the output, the lifeline, and a pipe for the process's number and
later its exit code. The fork becomes the keeper of a second fork (:mod:`coreml_gate.children.keeper`), which
runs the ordered module like ``python -P -m``: with its own session, folder, environment, output and
arguments, and nothing else of this process.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import site
import socket
import struct
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NoReturn

from coreml_gate.children import keeper
from coreml_gate.children.variables import LIFELINE, MARK
from coreml_gate.wording import counted

MODULE: Final = "coreml_gate.children.fork_server"
NUMBER: Final = struct.Struct("i")
"""The format of a process's number and of its exit code."""
_INPUT, _OUTPUT, _ERRORS = 0, 1, 2
_THREADS: Final = Path("/proc/self/task")


@dataclass(frozen=True)
class Order:
    """The module that a forked child runs, and where."""

    module: str
    arguments: tuple[str, ...]
    folder: str
    environment: Mapping[str, str]

    def write(self) -> int:
        """Write the order to an unnamed file, open at its start."""
        descriptor = os.memfd_create("order")
        with open(descriptor, "w", closefd=False, encoding="ascii") as file:
            json.dump(asdict(self), file)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    @classmethod
    def read(cls, descriptor: int) -> "Order":
        """Read the order from such a file."""
        with open(descriptor, encoding="ascii") as file:
            order = json.load(file)
        return cls(order["module"], tuple(order["arguments"]), order["folder"], order["environment"])


@dataclass(frozen=True)
class _Request:
    """The descriptors that came with a request."""

    order: int
    output: int
    lifeline: int
    answers: int

    def close(self) -> None:
        for descriptor in (self.order, self.output, self.lifeline, self.answers):
            os.close(descriptor)


@dataclass(frozen=True)
class _Fork:
    """A forked keeper, and the pipe for its exit code."""

    pid: int
    answers: int

    def report(self) -> None:
        """Report its exit code."""
        _, status = os.waitpid(self.pid, 0)
        _answer(self.answers, os.waitstatus_to_exitcode(status))
        os.close(self.answers)


def main() -> None:
    """Import the modules and serve; only a child returns from serving, and it runs the ordered module."""
    control = _control()
    before = dict(os.environ)
    gc.disable()  # saves a fifth of the imports' time; their garbage, 7 MB, stays in the shared memory
    for module in sys.argv[1:]:
        importlib.import_module(module)
    unfit = _unfit()
    if unfit:
        sys.exit(unfit)
    gc.freeze()
    gc.enable()
    set_by_imports = dict(os.environ.items() - before.items())
    order = _serve(control)
    _look_fresh(order, set_by_imports)
    runpy.run_module(order.module, run_name="__main__", alter_sys=True)


def _control() -> socket.socket:
    """Move the socket away from standard input, which a child uses as usual."""
    control = socket.socket(fileno=os.dup(_INPUT))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, _INPUT)
    os.close(nothing)
    return control


def _unfit() -> str:
    """Why this process must not be forked; empty if it may be.

    The threads of OpenBLAS end before a fork and return with the first matrix product (its handler for
    ``pthread_atfork``), so none may be left after a first fork. Raises :class:`OSError` if the system has no
    process descriptors, which show the ends of forks.
    """
    os.close(os.pidfd_open(os.getpid()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of threads before their handler has run
        first = os.fork()
    if first == 0:
        os._exit(0)
    os.waitpid(first, 0)
    threads = len([*_THREADS.iterdir()]) - 1
    if threads:
        return f"importing the libraries started {counted(threads, 'thread')}, which a fork would lose"
    foreign = sorted(foreign_modules(_files_of_modules(), _installed()))
    return f"`{foreign[0]}` does not belong to the installation" if foreign else ""


def foreign_modules(files: Iterable[str], installed: Sequence[Path]) -> list[str]:
    """The files outside the installed libraries, which may be the user's."""
    as_text = tuple(f"{folder}{os.sep}" for folder in installed)
    left = (file for file in files if not file.startswith(as_text))  # paths take a quarter of a second
    return [file for file in left if not any(Path(file).is_relative_to(folder) for folder in installed)]


def _files_of_modules() -> Iterable[str]:
    """The files of imported modules; a relative path is none, as some libraries invent one (``_ops.py``)."""
    files = (getattr(module, "__file__", None) for module in [*sys.modules.values()])
    return (file for file in files if isinstance(file, str) and Path(file).is_absolute())


def _installed() -> list[Path]:
    libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    packages = [*site.getsitepackages(), site.getusersitepackages(), str(Path(__file__).parents[1])]
    instantiator = sys.modules.get("torch.distributed.nn.jit.instantiator")  # writes a module in torch 2.7
    generated = getattr(instantiator, "INSTANTIATED_TEMPLATE_DIR_PATH", None)
    return [Path(folder) for folder in (*libraries, *packages, generated) if folder is not None]


def _serve(control: socket.socket) -> Order:
    """Fork for each request and report how each fork ends; returns only in a child."""
    running: dict[int, _Fork] = {}
    while True:
        readable, _, _ = select.select([control.fileno(), *running], [], [])
        for ended in running.keys() & readable:
            os.close(ended)
            running.pop(ended).report()
        if control.fileno() in readable:
            request = _received(control)
            pid = os.fork()
            if pid == 0:
                _close(control, running)
                return _fork_the_child(request)
            _answer(request.answers, pid)
            running[os.pidfd_open(pid)] = _Fork(pid, os.dup(request.answers))
            request.close()


def _received(control: socket.socket) -> _Request:
    """The next request; if there is none, the gate is gone and this process ends."""
    message, descriptors, _, _ = socket.recv_fds(control, 1, 4, socket.MSG_CMSG_CLOEXEC)
    if not message:
        os._exit(0)
    return _Request(*descriptors)


def _close(control: socket.socket, running: Mapping[int, _Fork]) -> None:
    """Close everything that belongs to the server alone."""
    control.close()
    for ended, fork in running.items():
        os.close(ended)
        os.close(fork.answers)


def _answer(answers: int, number: int) -> None:
    with suppress(BrokenPipeError):  # the gate may no longer wait for that child
        os.write(answers, NUMBER.pack(number))


def _fork_the_child(request: _Request) -> Order:
    """Become the keeper of a second fork; returns only in that fork."""
    os.setsid()
    keeper.adopt_orphans()
    os.dup2(request.output, _OUTPUT)
    os.dup2(request.output, _ERRORS)
    order = Order.read(os.dup(request.order))
    os.chdir(order.folder)
    own = os.getpid()
    child = os.fork()
    if child != 0:
        os.dup2(request.lifeline, _INPUT)
        _become_the_keeper(child, order)
    keeper.die_with(own)
    request.close()
    return order


def _become_the_keeper(child: int, order: Order) -> NoReturn:
    """Replace this process by a fresh interpreter, which holds little memory and keeps the child."""
    command = [*keeper.COMMAND, keeper.FORKED, str(child)]
    os.execve(sys.executable, command, {**order.environment, LIFELINE: str(_INPUT)})  # noqa: S606 - no shell


def _look_fresh(order: Order, set_by_imports: Mapping[str, str]) -> None:
    """Set what a fresh process gets at its start and a fork inherits from its parent."""
    _mark(order.environment[MARK])
    os.environ.clear()
    os.environ.update({**order.environment, **set_by_imports})
    del os.environ[LIFELINE]
    tempfile.tempdir = None
    sys.argv = ["", *order.arguments]
    sys.orig_argv = [sys.executable, "-P", "-m", order.module, *order.arguments]
    importlib.invalidate_caches()
    _reseed()


def _reseed() -> None:
    """Seed both libraries, which draw a seed on import; Python itself draws a new one after a fork."""
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()


def _mark(mark: str) -> None:
    """Write the mark where other processes look for it: in the memory of the initial environment.

    The system shows this memory (proc_pid_environ(5)), also for processes forked later.
    """
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    address, before = libc.getenv(MARK.encode()), os.environ[MARK]
    if len(before) != len(mark):
        raise ValueError(f"this mark has {len(mark)} characters, every mark has {len(before)}")
    ctypes.memmove(address, mark.encode(), len(mark))


if __name__ == "__main__":
    main()
