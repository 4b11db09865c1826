"""``coreml-gate doctor``: examines this machine, and says what works, what does not, and how to fix it."""

import argparse
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Final

from coreml_gate.arguments import add_json, positive_number
from coreml_gate.children.process import ProcessLimits
from coreml_gate.doctor.answer import TIME_BUDGET_S, Probe, Subject
from coreml_gate.doctor.children import examine_children
from coreml_gate.doctor.models import examine_models
from coreml_gate.doctor.recording import Recording
from coreml_gate.doctor.toolchain import examine_toolchain
from coreml_gate.engines.devicectl import OPENING_S
from coreml_gate.engines.machine import describe_machine, tool_output
from coreml_gate.gate.core_ml_host import STAND_IN
from coreml_gate.surroundings import Surroundings
from coreml_gate.worker.core_ml import ALL_UNITS, units_to_run
from coreml_gate.worker.supervisor import Supervisor

DEADLINE_S: Final = 300.0
_PACKAGES: Final = ("coremltools", "torch", "numpy")
_OUTCOME_WIDTH: Final = len("unknown")


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--units",
        action="append",
        choices=ALL_UNITS,
        help="hardware to try; repeatable; default: CPU_ONLY on GitHub's own runners, else all",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 for unknown results too, such as those of a machine that is not a Mac",
    )
    parser.add_argument(
        "--stand-in",
        action="store_true",
        help="without a Mac: run the same probes with the MIL runtime instead of Core ML",
    )
    parser.add_argument(
        "--time-budget-s",
        type=positive_number,
        default=TIME_BUDGET_S,
        metavar="S",
        help=f"seconds for timing a package against itself; default: {TIME_BUDGET_S:g}",
    )
    parser.add_argument(
        "--record", type=Path, metavar="FILE.zip", help="save the raw answers, without personal data"
    )
    add_json(parser)
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print one row per probe; 1 if one is not ok."""
    probes: list[Probe] = []
    recording = _recording(around) if parsed.record else None
    with tempfile.TemporaryDirectory(prefix="coreml-gate-") as folder:
        subject = _subject(parsed, around, Path(folder), recording)
        for answer in examine(subject):
            if not parsed.json:
                rows = "\n".join(_rows(answer, around.out.width))
                around.out.print(rows)
            probes.append(answer)
        if recording is not None:
            recording.run_tools(partial(tool_output, within_s=OPENING_S), Path(folder))
    if recording is not None:
        recording.keep("answers", {each.what: asdict(each) for each in probes})
        recording.keep("versions", subject.versions)
        recording.write(around.folder / parsed.record)
        if not parsed.json:
            around.out.print(f"recorded in {parsed.record}")
    return _concluded(probes, parsed, around)


def _subject(
    parsed: argparse.Namespace, around: Surroundings, folder: Path, recording: Recording | None
) -> Subject:
    """This machine, with the options of the command line."""
    is_mac = sys.platform == "darwin"
    stand_in = parsed.stand_in and not is_mac
    wanted = None if parsed.units is None else tuple(parsed.units)
    return Subject(
        folder=folder,
        supervisor=Supervisor(
            around.environment, ProcessLimits(DEADLINE_S), stand_in=stand_in, start=around.start
        ),
        is_mac=is_mac,
        units=units_to_run("ALL", wanted, around.environment),
        versions={name: version(name) for name in _PACKAGES},
        time_budget_s=parsed.time_budget_s,
        recording=recording,
    )


def _concluded(probes: Sequence[Probe], parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print the counts, and return the exit code."""
    outcomes = [each.outcome for each in probes]
    counts = {name: outcomes.count(name) for name in ("ok", "not ok", "unknown")}
    if parsed.json:
        around.print_json({"probes": [asdict(each) for each in probes], "counts": counts})
    else:
        around.out.print(", ".join(f"{count} {name}" for name, count in counts.items()))
    return int(counts["not ok"] > 0 or (parsed.strict and counts["unknown"] > 0))


def _recording(around: Surroundings) -> Recording:
    home = around.environment.get("HOME", "")
    return Recording(home=home, user=around.environment.get("USER") or Path(home).name)


def examine(subject: Subject) -> Iterator[Probe]:
    """All probes, cheap ones first."""
    machine = describe_machine(stand_in=STAND_IN if subject.supervisor.stand_in else "")
    return chain(
        examine_toolchain(subject),
        examine_children(subject),
        examine_models(subject, machine, time.monotonic),
    )


def _rows(answer: Probe, width: int) -> Iterator[str]:
    indent = " " * (_OUTCOME_WIDTH + 2)
    first = f"{answer.outcome:<{_OUTCOME_WIDTH}}  "
    lines = ((first, f"{answer.what}: {answer.text}"), (f"{indent}way out: ", answer.way_out))
    for start, text in lines:
        if text:
            yield from textwrap.wrap(
                text, max(width, 60), initial_indent=start, subsequent_indent=f"{indent}  "
            )
