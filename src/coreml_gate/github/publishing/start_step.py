"""The first step: decides what the run is for, and opens its check."""

from coreml_gate.github.api.artifacts import baseline_name, history_name, record_name, report_name
from coreml_gate.github.api.event import OPENED, WORK, Event
from coreml_gate.github.effects import Effects
from coreml_gate.github.evidence.base_commit import base_commit, checked_out
from coreml_gate.github.publishing.status.optional import check_of
from coreml_gate.github.requests import StartRequest
from coreml_gate.github.step_context import at_work
from coreml_gate.surroundings import Surroundings
from coreml_gate.wording import short


def start(request: StartRequest, around: Surroundings, effects: Effects) -> int:
    """Choose the mode of this run, and open the check."""
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
        "history-artifact": history_name(request.key),
        "record-artifact": record_name(request.key, request.shard),
        "report-artifact": report_name(request.key),
    }
