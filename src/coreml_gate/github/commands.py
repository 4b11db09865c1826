"""``coreml-gate github ...``: the sub-commands that the action's steps call, one call a step."""

import argparse
import secrets
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coreml_gate.arguments import OUTPUT
from coreml_gate.github.requests import (
    AcceptRequest,
    BaselineRequest,
    EventRequest,
    HistoryRequest,
    LinkRequest,
    MatrixRequest,
    ReportRequest,
    StartRequest,
    StepRequest,
)
from coreml_gate.surroundings import Surroundings

if TYPE_CHECKING:
    from coreml_gate.github.effects import Effects

COMMENT_MODES: Final = ("always", "changes", "failures", "off")
CHECK_KINDS: Final = ("check-run", "status", "off")
MODES: Final = ("auto", "open", "collect", "report", "baseline")
JOB_STATUSES: Final = ("success", "failure", "cancelled")
MAX_ANCESTORS: Final = 100


@dataclass(frozen=True)
class StepCommand:
    """One step on the command line; each option sets a field of its request."""

    request: type[StepRequest]
    describe: Callable[[argparse.ArgumentParser], None]
    words: str


def describe(parser: argparse.ArgumentParser, effects: "Effects | None" = None) -> None:
    """Add the steps as sub-commands."""
    steps = parser.add_subparsers(required=True, metavar="STEP")
    for name, command in _COMMANDS.items():
        words = command.words
        step = steps.add_parser(name, help=words, description=f"{words[:1].upper()}{words[1:]}.")
        if issubclass(command.request, EventRequest):
            _add_event(step)
        command.describe(step)
        step.set_defaults(command=_runner(name, command.request, effects))


def real_effects() -> "Effects":
    """The real clients, clock and random tokens."""
    from coreml_gate.github.api.client import connect  # noqa: PLC0415 - PyGithub is slow to load
    from coreml_gate.github.effects import Effects  # noqa: PLC0415

    return Effects(connect, lambda: datetime.now(UTC), lambda: secrets.token_hex(16))


def _runner(
    name: str, request: type[StepRequest], effects: "Effects | None"
) -> Callable[[argparse.Namespace, Surroundings], int]:
    def run(parsed: argparse.Namespace, around: Surroundings) -> int:
        from coreml_gate.github import steps  # noqa: PLC0415 - PyGithub is slow to load

        return steps.STEPS[name](_filled(request, parsed, around.folder), around, effects or real_effects())

    return run


def _filled(request: type[StepRequest], parsed: argparse.Namespace, folder: Path) -> StepRequest:
    return request(**{each.name: _value(getattr(parsed, each.name), folder) for each in fields(request)})


def _value(parsed: object, folder: Path) -> Any:  # noqa: ANN401 - argparse hides the type
    """A parsed value, made immutable; paths are relative to the command's folder."""
    match parsed:
        case Path():
            return folder / parsed
        case list():
            return tuple(_value(each, folder) for each in parsed)
        case _:
            return parsed


def _add_event(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key", default="default", help="distinguishes several gates of a repository; default: %(default)s"
    )
    parser.add_argument(
        "--mode", choices=MODES, default="auto", help="the role of the run; default: the event decides"
    )


def _add_start(parser: argparse.ArgumentParser) -> None:
    _add_check(parser)
    parser.add_argument(
        "--base-branch",
        dest="base_branches",
        action="append",
        default=[],
        metavar="NAME",
        help="a branch whose pushes store a baseline; repeatable; default: the default branch",
    )
    parser.add_argument(
        "--shard",
        type=int,
        default=1,
        metavar="N",
        help="the number of this job in a matrix; default: %(default)s",
    )


def _add_baseline(parser: argparse.ArgumentParser) -> None:
    _add_workflow(parser)
    parser.add_argument(
        "--base",
        metavar="COMMIT",
        help="full id of the commit to compare with, from `start`; default: the merge base of the head and "
        "the event's base",
    )
    parser.add_argument("--head", metavar="COMMIT", help="the checked-out commit; default: GITHUB_SHA")
    parser.add_argument(
        "--ancestors",
        type=int,
        choices=range(MAX_ANCESTORS + 1),
        default=10,
        metavar="N",
        help="commits before the merge base to search for a baseline, at most 100; default: %(default)s",
    )
    parser.add_argument(
        "--rebuild",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the next step may rebuild a base that is not found",
    )
    _add_path(parser, "--to", OUTPUT / "baseline", "folder for the baseline")


def _add_matrix(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", type=Path, metavar="DIR", help="folder with the head's record.json")
    _add_path(parser, "--baseline", OUTPUT / "baseline", "folder with the baseline")
    parser.add_argument(
        "--shards", type=int, default=5, metavar="N", help="the greatest number of jobs; default: %(default)s"
    )


def _add_report(parser: argparse.ArgumentParser) -> None:
    _add_check(parser)
    _add_workflow(parser)
    _add_judged(parser)
    _add_job(parser)
    _add_shown(parser)
    _add_author(parser)


def _add_judged(parser: argparse.ArgumentParser) -> None:
    """Add the inputs of the judgement."""
    _add_path(
        parser,
        "--report",
        OUTPUT / "report.json",
        "the report of `run` or `judge`; not read under workflow_run",
    )
    _add_path(parser, "--baseline", OUTPUT / "baseline", "folder with the note of the baseline step")
    parser.add_argument("--config", metavar="PATH", help="configuration file, relative to the repository")
    parser.add_argument(
        "--records",
        type=int,
        default=1,
        metavar="N",
        help="with mode report: how many Records the measuring jobs must have stored; default: %(default)s",
    )
    parser.add_argument(
        "--release",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="also compare with the last release",
    )


def _add_job(parser: argparse.ArgumentParser) -> None:
    """Add the state of the job."""
    parser.add_argument(
        "--job-status",
        choices=JOB_STATUSES,
        default="success",
        help="status of the job so far; default: %(default)s",
    )
    parser.add_argument(
        "--started", type=float, metavar="SECONDS", help="start of the job, in seconds since 1970"
    )
    parser.add_argument(
        "--allowed-minutes",
        dest="timeout_minutes",
        type=float,
        metavar="N",
        help="the job's `timeout-minutes`, because GitHub reports a job that timed out as cancelled",
    )
    parser.add_argument(
        "--token-in-reach",
        action="store_true",
        help="the models' code ran as the user of this job, which the comment then warns about",
    )


def _add_shown(parser: argparse.ArgumentParser) -> None:
    """Add where the verdict is shown."""
    parser.add_argument(
        "--formats",
        type=Path,
        metavar="DIR",
        help="also write the published report to this folder, in every format",
    )
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="also write the published page to this file"
    )
    parser.add_argument(
        "--comment", choices=COMMENT_MODES, default="always", help="when to comment; default: %(default)s"
    )
    for name, words in (
        ("annotations", "whether to annotate lines with findings"),
        ("suggestions", "whether to suggest changes of the configuration"),
        ("summary", "whether to write the report to the job summary"),
    ):
        parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=True, help=words)


def _add_accept(parser: argparse.ArgumentParser) -> None:
    _add_record(parser)
    _add_author(parser)


def _add_history(parser: argparse.ArgumentParser) -> None:
    _add_workflow(parser)
    _add_record(parser)
    _add_path(parser, "--to", OUTPUT / "history.json", "file for the history")


def _add_link(parser: argparse.ArgumentParser) -> None:
    _add_author(parser)
    parser.add_argument("--comment-url", required=True, metavar="URL", help="address of the comment")
    parser.add_argument("--page-url", required=True, metavar="URL", help="address of the page")


def _add_author(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--author",
        default="github-actions[bot]",
        metavar="LOGIN",
        help="the account of this token; default: %(default)s",
    )


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "record",
        type=Path,
        nargs="?",
        default=OUTPUT,
        metavar="DIR",
        help="folder with record.json; default: %(default)s",
    )


def _add_path(parser: argparse.ArgumentParser, name: str, default: Path, words: str) -> None:
    parser.add_argument(
        name,
        type=Path,
        default=default,
        metavar="FILE" if default.suffix else "DIR",
        help=f"{words}; default: %(default)s",
    )


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check",
        choices=CHECK_KINDS,
        default="check-run",
        help="how to report the verdict to branch protection; default: %(default)s",
    )
    parser.add_argument(
        "--check-name",
        default="coreml-gate",
        metavar="NAME",
        help="the check that branch protection requires",
    )


def _add_workflow(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workflow", metavar="PATH", help="the workflow file whose runs store baselines; default: this one"
    )


_COMMANDS: Final[dict[str, StepCommand]] = {
    "start": StepCommand(StartRequest, _add_start, "decide the role of this run, and open the check"),
    "accept": StepCommand(
        AcceptRequest,
        _add_accept,
        "note in a baseline the accepted failures of merged pull requests",
    ),
    "history": StepCommand(
        HistoryRequest, _add_history, "add a baseline's metrics to the history of earlier pushes"
    ),
    "baseline": StepCommand(BaselineRequest, _add_baseline, "find the stored baseline of the base commit"),
    "matrix": StepCommand(MatrixRequest, _add_matrix, "share the models that need Core ML among a few jobs"),
    "report": StepCommand(
        ReportRequest, _add_report, "publish the verdict: check, comment, summary, annotations, outputs"
    ),
    "link": StepCommand(LinkRequest, _add_link, "link the comment to the page, once that is uploaded"),
}
