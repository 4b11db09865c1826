"""The command line: parses, builds the real clients, calls, prints, and returns the exit code."""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from coreml_gate.commands import COMMANDS
from coreml_gate.errors import INTERNAL_ERROR_EXIT_CODE, GateError, UsageError
from coreml_gate.foreign.log import only_harmless, say_error
from coreml_gate.interruption import Interrupted, interruptible
from coreml_gate.starting import Start
from coreml_gate.streams import close_screens, open_screens
from coreml_gate.surroundings import Surroundings
from coreml_gate.version import __version__
from coreml_gate.worker.libraries import LIBRARIES
from coreml_gate.writing import output_error


def main(arguments: Sequence[str] | None = None, surroundings: Surroundings | None = None) -> int:
    """Run one command; :mod:`coreml_gate.errors` lists the exit codes."""
    if surroundings is None:
        with interruptible(), real_surroundings() as around:
            return main(arguments, around)
    with only_harmless(surroundings.out, surroundings.err):
        return _run_command(arguments, surroundings)


def _run_command(arguments: Sequence[str] | None, around: Surroundings) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    try:
        parsed = build_parser(given).parse_args(given)
        command: Callable[[argparse.Namespace, Surroundings], int] = parsed.command
        return command(parsed, around.quiet() if parsed.quiet else around)
    except KeyboardInterrupt as error:
        with suppress(OSError):
            around.err.print("coreml-gate: interrupted.")
        return Interrupted.of(error).exit_code
    except Exception as error:  # noqa: BLE001 - the one place: a defect of ours must not look like a verdict
        with suppress(OSError):  # where standard error is full as well, the exit code has to do
            return _say(error, around.err)
        return getattr(output_error(error) or error, "exit_code", INTERNAL_ERROR_EXIT_CODE)


def _say(error: Exception, console: Console) -> int:
    named = error if isinstance(error, GateError) else output_error(error)
    if named is not None:
        say_error(console, named)
        return named.exit_code
    console.print("".join(traceback.format_exception(error)))
    console.print(
        "coreml-gate: this is a defect of coreml-gate, not of your model. Please report it with the "
        f"lines above (version {__version__})."
    )
    return INTERNAL_ERROR_EXIT_CODE


@contextmanager
def real_surroundings() -> Iterator[Surroundings]:
    """Build the real consoles, environment and folder; flush the outputs at the end."""
    out, err = open_screens()
    try:
        with _warm_children(err) as start:
            yield Surroundings(_folder(err), dict(os.environ), out, err, start)
    finally:
        close_screens()


def _folder(err: Console) -> Path:
    """Where the command runs; one that was removed meanwhile ends it."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        gone = UsageError("the current folder does not exist any more.", "change to a folder that does.")
        say_error(err, gone)
        raise SystemExit(gone.exit_code) from None


@contextmanager
def _warm_children(err: Console) -> Iterator[Start]:
    from coreml_gate.children.warm import WarmChildren  # noqa: PLC0415 - most commands start none

    with WarmChildren(LIBRARIES, err.print) as start:
        yield start


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument like every other error."""

    def error(self, message: str) -> NoReturn:
        """Raises :class:`UsageError`."""
        raise UsageError(f"{message}.", f"`{self.prog} --help` lists what it takes.")

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ANN401 - as argparse has it
        """Print help or version; argparse itself ignores errors of the output."""
        stream = file or sys.stderr
        if stream is not None:
            stream.write(message)
            stream.flush()


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """List all commands, and import and describe only the one that ``arguments`` name."""
    parser: argparse.ArgumentParser = _Parser(
        prog="coreml-gate",
        description="Judges what a change does to the Core ML packages of your PyTorch models.",
    )
    parser.add_argument("--version", action="version", version=f"coreml-gate {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    chosen = next((each for each in arguments if not each.startswith("-")), None)
    for name, command in COMMANDS.items():
        described = commands.add_parser(name, help=command.help)
        if name == chosen:
            command.describe_to(described)
            described.add_argument(
                "--quiet", action="store_true", help="no progress, and only the first line of the verdict"
            )
    return parser
