"""What a measuring command is given: clock, environment, progress, and what runs Core ML's steps."""

import argparse
import sys
from datetime import UTC, datetime
from typing import Final

from coreml_gate.children.capacity import capacity_of
from coreml_gate.errors import UsageError
from coreml_gate.gate.at_once import Room
from coreml_gate.gate.collect import Answering, RunContext
from coreml_gate.gate.memory_needed import held_in
from coreml_gate.gate.progress import Progress
from coreml_gate.gate.request import Request
from coreml_gate.report.progress import LiveProgress, LogProgress
from coreml_gate.surroundings import Surroundings
from coreml_gate.tested_versions import installed, untested

CACHE_FOLDER: Final = "cache"


def run_context(request: Request, parsed: argparse.Namespace, around: Surroundings) -> RunContext:
    """The context for measuring; also warns about untested versions."""
    for sentence in untested(installed()):
        around.err.print(f"coreml-gate: {sentence}", style="yellow")
    capacity = capacity_of()
    return RunContext(
        cache=request.output / CACHE_FOLDER,
        environment=around.environment,
        clock=lambda: datetime.now(UTC),
        progress=_progress(around),
        answering=_answering(parsed.core_ml),
        start=around.start,
        room=Room(capacity.cores, capacity.memory_bytes),
        held=held_in(request.earlier_records),
    )


def _answering(wanted: str) -> Answering | None:
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
    return LogProgress(around.err.print, groups=around.environment.get("GITHUB_ACTIONS") == "true")
