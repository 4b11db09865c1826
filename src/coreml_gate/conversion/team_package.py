"""Runs the team's own script or command, and copies its package."""

import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import coremltools as ct

from coreml_gate.conversion.conversion import PACKAGE, REFERENCE, Task
from coreml_gate.conversion.failures import ConversionFailedError, explained, raised_in
from coreml_gate.conversion.packages import save
from coreml_gate.conversion.quiet import quiet
from coreml_gate.engines.python import load_callable, user_code
from coreml_gate.engines.source import copied_package, load_source
from coreml_gate.errors import SourceError

_PRECISION: Final = "compute_precision"
_RETURNS: Final = "return the `MLModel`, or the path of the saved `.mlpackage`."


@dataclass(frozen=True)
class TeamPackage:
    """The team's package, copied next to the Record."""

    path: Path
    maker: str
    """The callable or the package, as in the configuration."""
    convert: Callable[[], Path] | None = None
    """Makes the float32 twin, if the team's callable takes ``compute_precision``."""


def team_package(task: Task) -> TeamPackage:
    """Run the team's conversion and copy its package into the task's folder.

    :raises ConversionFailedError: The script fails, or makes no package.
    """
    try:
        return _called(task) if task.config.convert is not None else _built(task)
    except SourceError as error:
        failure = ConversionFailedError(error.message, error.hint)
        failure.raised_in = raised_in(error.__cause__)
        raise (failure if error.hint else explained(failure)) from error


def _called(task: Task) -> TeamPackage:
    reference = str(task.config.convert)
    function = load_callable(reference, task.source.root, SourceError)
    arguments = _Arguments.of(function, reference)

    def converted(name: str, options: Mapping[str, Any]) -> Path:
        given = (load_source(task.source.reference, task.source.root).model,) if arguments.module else ()
        with user_code(f"convert {reference}", task.source.root, SourceError), quiet():
            returned = function(*given, **options)
        return _kept(returned, reference, task.source.root, task.folder / name)

    def again() -> Path:
        return converted(REFERENCE, {_PRECISION: ct.precision.FLOAT32})

    return TeamPackage(converted(PACKAGE, {}), reference, again if arguments.precision else None)


@dataclass(frozen=True)
class _Arguments:
    """The arguments of the team's callable."""

    module: bool
    precision: bool

    @classmethod
    def of(cls, function: Callable[..., object], reference: str) -> "_Arguments":
        """The arguments by the signature: the module by position, ``compute_precision`` by name."""
        parameters = inspect.signature(function).parameters.values()
        positional = [
            item
            for item in parameters
            if item.kind in {item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD} and item.name != _PRECISION
        ]
        required = [item.name for item in positional if item.default is item.empty]
        if len(required) > 1:
            raise SourceError(
                f"`{reference}` takes {len(required)} arguments ({', '.join(required)}), allowed is one: it "
                "is called with the source's module, or with nothing.",
                "give the others a default.",
            )
        named = any(item.name == _PRECISION or item.kind is item.VAR_KEYWORD for item in parameters)
        return cls(bool(positional), named)


def _kept(returned: object, reference: str, root: Path, target: Path) -> Path:
    """The callable's return value as a package at ``target``."""
    if isinstance(returned, ct.models.MLModel):
        shutil.rmtree(target, ignore_errors=True)
        return save(returned, target)
    if not isinstance(returned, str | os.PathLike):
        raise SourceError(f"convert `{reference}` returned a `{type(returned).__name__}`.", _RETURNS)
    path = root / os.fspath(returned)
    if not (path / "Manifest.json").is_file():
        raise SourceError(
            f"convert `{reference}` returned `{returned}`, which is not a package: it has no Manifest.json.",
            _RETURNS,
        )
    return copied_package(path, target)


def _built(task: Task) -> TeamPackage:
    """The package at its path, after running the command that builds it, if any."""
    name, root = str(task.config.package), task.source.root
    path = root / name
    if task.config.build:
        before = _written(path)
        _run(task.config.build, root)
        if path.exists() and _written(path) == before:
            raise SourceError(
                f"`build` succeeded, but wrote nothing to `{name}`, which is older than the command.",
                "correct the path in `package`, or let the command always write the package.",
            )
    if not (path / "Manifest.json").is_file():
        after = "after `build`" if task.config.build else "in the repository"
        raise SourceError(
            f"package `{name}` does not exist {after}, or is not a package: it has no Manifest.json.",
            "paths are relative to the repository's root; `build` names the command that writes the package.",
        )
    return TeamPackage(copied_package(path, task.folder / PACKAGE), name)


def _written(path: Path) -> frozenset[tuple[str, int, int]]:
    """The modification time of each file of a folder, which shows whether a command wrote any."""
    files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else []
    stats = [(str(each), each.stat()) for each in files]
    return frozenset((name, stat.st_mtime_ns, stat.st_ino) for name, stat in stats)


def _run(command: tuple[str, ...], root: Path) -> None:
    """Run ``build`` in the tree, with the environment's ``python`` first on the path, and keep its output."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    shown = " ".join(command)
    last = ""
    try:
        with subprocess.Popen(
            command,
            cwd=root,
            env={**os.environ, "PATH": path},
            executable=shutil.which(command[0], path=path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                sys.stdout.write(line)
                last = line.strip().rstrip(".") or last
    except OSError as error:
        raise SourceError(
            f"`build` cannot run `{command[0]}`: {error.strerror}.",
            "name a program on PATH, or a path relative to the repository's root.",
        ) from error
    if process.returncode:
        raise SourceError(
            f"`build` (`{shown}`) ended with exit code {process.returncode}: {last or 'it printed nothing'}.",
            "run the command in the repository's root; its whole output is in the model's log.",
        )
