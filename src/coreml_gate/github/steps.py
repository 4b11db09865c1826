"""The steps of the action, each one function of its frozen request; they exit with what they return."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from coreml_gate.gate.collect import RECORD_NAME
from coreml_gate.gate.git import short
from coreml_gate.gate.shards import needing_core_ml, shards
from coreml_gate.github.api.artifacts import baseline_name, record_name, report_name
from coreml_gate.github.api.event import OPENED, WORK, Event
from coreml_gate.github.effects import Effects
from coreml_gate.github.evidence.base_commit import base_commit, checked_out
from coreml_gate.github.evidence.baseline_step import baseline
from coreml_gate.github.judging.accept_step import accept
from coreml_gate.github.publishing.link_step import link
from coreml_gate.github.publishing.outputs import write_outputs
from coreml_gate.github.publishing.report_step import report
from coreml_gate.github.publishing.status.optional import check_of
from coreml_gate.github.requests import (
    MatrixRequest,
    StartRequest,
)
from coreml_gate.github.step_context import at_work
from coreml_gate.record import read_record
from coreml_gate.surroundings import Surroundings


def start(request: StartRequest, around: Surroundings, effects: Effects) -> int:
    """Decide what this run is for, and open the check."""
    with at_work(request, around, effects) as context:
        event = context.event
        base = base_commit(checked_out(around.folder, around.environment), event)
        context.output(
            {
                "mode": event.mode.value,
                "work": " ".join(WORK[event.mode]),
                "head-sha": event.head_sha,
                "base-sha": base or "",
                "base-ref": event.base_ref,
                "pull-request": str(event.pull_request or ""),
                "fork": str(event.fork).lower(),
                **_artifact_names(request, event),
            }
        )
        context.say(f"coreml-gate: {event.name} means {event.mode.value} for {short(event.head_sha)}")
        check = check_of(context, request)
        context.output({"check-url": check.begin() if event.mode in OPENED else ""})
        context.warn(check.notices)
    return 0


def _artifact_names(request: StartRequest, event: Event) -> dict[str, str]:
    return {
        "baseline-artifact": baseline_name(request.key, event.head_sha),
        "record-artifact": record_name(request.key, request.shard),
        "report-artifact": report_name(request.key),
    }


def matrix(request: MatrixRequest, around: Surroundings, effects: Effects) -> int:
    """Which models a Mac has to look at, shared among a few jobs."""
    head = read_record(request.record / RECORD_NAME)
    path = request.baseline / RECORD_NAME
    names = needing_core_ml(head, read_record(path) if path.exists() else None)
    legs = shards(names, request.shards)
    outputs = {
        "matrix": json.dumps({"include": legs}) if legs else "",
        "records": str(len(legs) + 1),
    }
    file = around.environment.get("GITHUB_OUTPUT", "")
    write_outputs(Path(file) if file else None, outputs, effects.new_token)
    around.out.print(f"coreml-gate: {len(names)} model(s) for Core ML", markup=False, highlight=False)
    return 0


STEPS: Final[dict[str, Callable[[Any, Surroundings, Effects], int]]] = {
    "start": start,
    "accept": accept,
    "baseline": baseline,
    "matrix": matrix,
    "report": report,
    "link": link,
}
"""The steps by the name that a workflow gives; each takes the request of its name."""
