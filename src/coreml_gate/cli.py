"""The command line: parses, builds the real clients, calls, prints, and returns the exit code."""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NoReturn

from rich.console import Console

from coreml_gate import __version__
from coreml_gate.config.load import load_config, select_models
from coreml_gate.devices import command as listing_devices
from coreml_gate.diagnose import command as reproducing
from coreml_gate.doctor import command as examining
from coreml_gate.errors import INTERNAL_ERROR_EXIT_CODE, GateError, OutputError, UsageError
from coreml_gate.gate import device_command as asking_devices
from coreml_gate.gate.baseline import NO_BASELINE, stored_baseline
from coreml_gate.gate.collect import RECORD_NAME, RunContext
from coreml_gate.gate.core_ml_run import with_core_ml
from coreml_gate.gate.formats import FORMATS as PLAN_FORMATS
from coreml_gate.gate.formats import as_github_matrix
from coreml_gate.gate.judge import judge
from coreml_gate.gate.progress import Progress
from coreml_gate.gate.request import Request, open_repository
from coreml_gate.gate.run import collect_head, make_plan, run_gate
from coreml_gate.gate.stopped import InterruptedRun, stopped_early
from coreml_gate.github.commands import add_commands
from coreml_gate.init import command as proposing
from coreml_gate.interruption import Interrupted, interruptible
from coreml_gate.mil import diff_command as comparing
from coreml_gate.record import Record, read_record
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.report.document import read_report
from coreml_gate.report.log import only_harmless, say_error
from coreml_gate.report.progress import LiveProgress, LogProgress
from coreml_gate.report.terminal import print_verdict
from coreml_gate.rules import command as listing_rules
from coreml_gate.selftest import command as testing_itself
from coreml_gate.streams import close_screens, open_screens
from coreml_gate.support import command as supporting
from coreml_gate.surroundings import Surroundings
from coreml_gate.variants import command as comparing_variants
from coreml_gate.verdict import Verdict, not_run
from coreml_gate.writing import make_output_folder, output_error, write_text

DEFAULT_OUTPUT = Path(".coreml-gate")
CACHE_FOLDER = "cache"
REPORT_NAME = "report.json"
COMMENT_NAME = "comment.md"
PAGE_NAME = "report.html"


def main(arguments: Sequence[str] | None = None, surroundings: Surroundings | None = None) -> int:
    """Run one command; the exit codes stand in :mod:`coreml_gate.errors`."""
    if surroundings is None:
        with interruptible(), real_surroundings() as around:
            return main(arguments, around)
    with only_harmless(surroundings.out, surroundings.err):
        return _run_command(arguments, surroundings)


def _run_command(arguments: Sequence[str] | None, around: Surroundings) -> int:
    try:
        parsed = build_parser().parse_args(arguments)
        command: Callable[[argparse.Namespace, Surroundings], int] = parsed.command
        return command(parsed, around)
    except KeyboardInterrupt as error:
        with suppress(OSError):
            around.err.print("coreml-gate: interrupted.", markup=False)
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
    console.print("".join(traceback.format_exception(error)), markup=False, highlight=False)
    console.print(
        "coreml-gate: this is a defect of coreml-gate, not of your model. Please report it with the "
        f"lines above (version {__version__}).",
        markup=False,
    )
    return INTERNAL_ERROR_EXIT_CODE


@contextmanager
def real_surroundings() -> Iterator[Surroundings]:
    """Build the real consoles, environment and folder; at the end nothing is left for the outputs."""
    out, err = open_screens()
    try:
        yield Surroundings(Path.cwd(), dict(os.environ), out, err)
    finally:
        close_screens()


class _Parser(argparse.ArgumentParser):
    """Says what does not fit through the same door as every other error."""

    def error(self, message: str) -> NoReturn:
        """Raises :class:`UsageError`."""
        raise UsageError(f"{message}.", f"`{self.prog} --help` lists what it takes.")

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ANN401 - as argparse has it
        """Prints help or version; argparse itself is silent when that fails."""
        stream = file or sys.stderr
        if stream is not None:
            stream.write(message)
            stream.flush()


def build_parser() -> argparse.ArgumentParser:
    """Describe all commands, in the order in which people meet them."""
    parser: argparse.ArgumentParser = _Parser(
        prog="coreml-gate",
        description="Judges what a change does to the Core ML packages of your PyTorch models.",
    )
    parser.add_argument("--version", action="version", version=f"coreml-gate {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    proposing.add_command(commands)
    _add_run(
        commands.add_parser("run", help="measure what changed since a base, judge it, write the reports")
    )
    _add_plan(commands.add_parser("plan", help="list the models that changed since a base, and why"))
    _add_collect(commands.add_parser("collect", help="measure models into a Record, without judging"))
    _add_judge(
        commands.add_parser("judge", help="judge stored Records under the limits of the configuration")
    )
    reproducing.add_command(commands)
    listing_rules.add_command(commands)
    supporting.add_command(commands)
    comparing_variants.add_commands(commands)
    asking_devices.add_command(commands)
    listing_devices.add_command(commands)
    comparing.add_command(commands)
    examining.add_command(commands)
    testing_itself.add_command(commands)
    _add_report(commands.add_parser("report", help="render a stored report.json in another format"))
    add_commands(commands)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_selection(parser)
    _add_base(parser)
    _add_output(parser)
    _add_core_ml(parser)
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="PATH",
        help="a Record, or its folder, to compare with instead of a rebuild",
    )
    parser.add_argument(
        "--rebuild",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether a base without a --baseline is measured here",
    )
    parser.set_defaults(command=run)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    _add_selection(parser)
    _add_base(parser)
    _add_known(parser)
    parser.add_argument("--format", choices=PLAN_FORMATS, default="text", help="default: %(default)s")
    parser.add_argument("--shards", type=int, metavar="N", help="github-matrix: at most N jobs")
    parser.set_defaults(command=plan)


def _add_known(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="PATH",
        help="a Record of an earlier run, or its folder: it tells which files each model reads",
    )


def _add_collect(parser: argparse.ArgumentParser) -> None:
    _add_selection(parser)
    _add_base(parser)
    _add_known(parser)
    _add_output(parser)
    _add_core_ml(parser)
    parser.set_defaults(command=collect)


def _add_judge(parser: argparse.ArgumentParser) -> None:
    _add_selection(parser)
    parser.add_argument("record", type=Path, help="a Record, or the folder that holds record.json")
    parser.add_argument("--baseline", type=Path, metavar="PATH", help="the Record to compare with")
    _add_output(parser)
    parser.set_defaults(command=judge_records)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("report", type=Path, help="a report.json that `run` or `judge` wrote")
    parser.add_argument("--format", choices=FORMATS, default="terminal", help="default: %(default)s")
    parser.add_argument("--key", default="default", help="tells the comments of several gates apart")
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="html: what was measured (default: record.json beside the report, where there is one)",
    )
    parser.add_argument("--to", type=Path, metavar="FILE", help="write there instead of to standard output")
    parser.set_defaults(command=report)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="default: coreml-gate.toml, then pyproject.toml"
    )
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME", help="only this model; repeatable"
    )


def _add_base(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", metavar="COMMIT", help="the commit or branch to compare with")
    parser.add_argument("--allow-dirty", action="store_true", help="measure uncommitted changes as well")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", type=Path, default=DEFAULT_OUTPUT, metavar="DIR", help="default: %(default)s"
    )


def _add_core_ml(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--core-ml",
        choices=("auto", "off", "stand-in"),
        default="auto",
        help="auto: ask Core ML on a Mac; stand-in: rehearse it with the MIL runtime, whose answers and "
        "times are not Core ML's; default: %(default)s",
    )


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Do the whole gate."""
    request = _request(parsed, around)
    try:
        with _reported(request.output):
            verdict = run_gate(request, _run_context(request, parsed, around))
    except InterruptedRun as stopped:
        verdict = stopped.verdict
    return _finish(verdict, request.output, around)


def plan(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print what would be measured, and measure nothing."""
    request = _request(parsed, around)
    config = select_models(load_config(request.root, request.config_file), request.models)
    chosen = make_plan(request, config, open_repository(request, around.environment))
    sharded = parsed.format == "github-matrix" and parsed.shards is not None
    text = as_github_matrix(chosen, parsed.shards) if sharded else PLAN_FORMATS[parsed.format](chosen)
    around.out.print(text, markup=False, highlight=False, end="")
    return 0


def collect(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Measure, write the Record, and judge nothing: the exit code only tells whether measuring worked."""
    request = _request(parsed, around)
    config = select_models(load_config(request.root, request.config_file), request.models)
    repository = open_repository(request, around.environment)
    chosen = make_plan(request, config, repository)
    make_output_folder(request.output)
    context = _run_context(request, parsed, around)
    record = collect_head(request, config, chosen, repository, context)
    record = with_core_ml(request, config, record, NO_BASELINE, context)
    around.out.print(
        f"{len(record.models)} model(s) in {request.output / RECORD_NAME}", markup=False, highlight=False
    )
    problems = (model.problem for model in record.models)
    return next((problem.exit_code for problem in problems if problem is not None), 0)


def judge_records(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Judge stored Records; nothing runs, so limits can be tried in a second."""
    path = around.folder / parsed.record
    with _reported(around.folder / parsed.output):
        config = select_models(load_config(around.folder, parsed.config), parsed.model)
        head = read_record(path / RECORD_NAME if path.is_dir() else path)
        given = parsed.baseline
        baseline = NO_BASELINE if given is None else stored_baseline(around.folder / given)
        verdict = judge(config, head, baseline.record, baseline.facts)
        del baseline  # a large Record, and no report shows anything of it
    return _finish(verdict, around.folder / parsed.output, around, head)


def report(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Render a stored report; its verdict is not this command's exit code."""
    path = around.folder / parsed.report
    verdict = read_report(path)
    measured = (
        _record_at(path.parent) if parsed.record is None else read_record(around.folder / parsed.record)
    )
    text = FORMATS[parsed.format](verdict, ReportOptions(key=parsed.key, record=measured))
    if parsed.to is None:
        around.out.print(text, markup=False, highlight=False, end="")
    else:
        write_text(around.folder / parsed.to, text)
    return 0


def _request(parsed: argparse.Namespace, around: Surroundings) -> Request:
    baseline: Path | None = getattr(parsed, "baseline", None)
    return Request(
        root=around.folder,
        output=around.folder / getattr(parsed, "output", DEFAULT_OUTPUT),
        config_file=parsed.config,
        models=tuple(parsed.model),
        base=parsed.base,
        baseline=None if baseline is None else around.folder / baseline,
        allow_dirty=parsed.allow_dirty,
        rebuild=getattr(parsed, "rebuild", True),
    )


def _run_context(request: Request, parsed: argparse.Namespace, around: Surroundings) -> RunContext:
    return RunContext(
        cache=request.output / CACHE_FOLDER,
        environment=around.environment,
        clock=lambda: datetime.now(UTC),
        progress=_progress(around),
        answering=_answering(parsed.core_ml),
    )


def _answering(wanted: str) -> Literal["core-ml", "stand-in"] | None:
    is_mac = sys.platform == "darwin"
    if wanted == "stand-in":
        if is_mac:
            raise UsageError(
                "--core-ml stand-in: this is a Mac.", "leave it out: Core ML itself answers here."
            )
        return "stand-in"
    return "core-ml" if is_mac and wanted == "auto" else None


def _progress(around: Surroundings) -> Progress:
    if around.err.is_terminal:
        return LiveProgress(around.err)
    return LogProgress(
        lambda line: around.err.print(line, markup=False, highlight=False),
        groups=around.environment.get("GITHUB_ACTIONS") == "true",
    )


@contextmanager
def _reported(output: Path) -> Iterator[None]:
    """Leaves a report even where the block ends in an error: an older one would speak of another run."""
    make_output_folder(output)
    try:
        yield
    except GateError as error:
        with suppress(OutputError):
            _write_reports(not_run(error.message, error.hint, error.exit_code, error.details), output)
        raise
    except InterruptedRun:
        raise
    except KeyboardInterrupt as error:
        with suppress(OutputError):
            _write_reports(stopped_early(Interrupted.of(error)), output)
        raise


def _finish(verdict: Verdict, output: Path, around: Surroundings, measured: Record | None = None) -> int:
    _write_reports(verdict, output, measured)
    print_verdict(verdict, around.out)
    return verdict.exit_code


def _write_reports(verdict: Verdict, output: Path, measured: Record | None = None) -> None:
    options = ReportOptions()
    write_text(output / REPORT_NAME, FORMATS["json"](verdict, options))
    write_text(output / COMMENT_NAME, FORMATS["markdown"](verdict, options))
    shown = ReportOptions(record=measured or _record_at(output))
    write_text(output / PAGE_NAME, FORMATS["html"](verdict, shown))


def _record_at(folder: Path) -> Record | None:
    path = folder / RECORD_NAME
    return read_record(path) if path.is_file() else None
