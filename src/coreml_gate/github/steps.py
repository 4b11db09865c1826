"""The steps of the action, each one function of its frozen request; they exit with what they return."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from coreml_gate.errors import ArtifactError, GitHubError
from coreml_gate.frozen import changed
from coreml_gate.gate.collect import RECORD_NAME, environment_of_this_machine
from coreml_gate.gate.git import short
from coreml_gate.gate.shards import needing_core_ml, shards
from coreml_gate.github.api.artifacts import baseline_name, record_name, report_name
from coreml_gate.github.api.event import OPENED, WORK, Event
from coreml_gate.github.effects import Effects
from coreml_gate.github.evidence.base_commit import base_commit, checked_out
from coreml_gate.github.evidence.baseline import (
    BaselineNote,
    BaselineOrigin,
    BaselineQuery,
    find,
    merge_base,
    remove,
    unpack,
    write_note,
)
from coreml_gate.github.judging.accepted_failures import accepted_failures
from coreml_gate.github.publishing.link_step import link
from coreml_gate.github.publishing.outputs import write_outputs
from coreml_gate.github.publishing.report_step import report
from coreml_gate.github.publishing.status.optional import check_of
from coreml_gate.github.requests import (
    AcceptRequest,
    BaselineRequest,
    MatrixRequest,
    StartRequest,
)
from coreml_gate.github.step_context import StepContext, at_work
from coreml_gate.record import read_record, write_record
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


def baseline(request: BaselineRequest, around: Surroundings, effects: Effects) -> int:
    """Find the stored baseline and unpack it; without one, leave the reasons for the report."""
    with at_work(request, around, effects) as context:
        note = _search(context, request)
        write_note(note, request.to)
        found = note.source in ("merge-base", "ancestor")
        context.output(
            {
                "baseline-source": note.source,
                "baseline-commit": note.commit or "",
                "baseline-path": str(request.to) if found else "",
                "baseline-origin": note.origin,
            }
        )
        context.say_foreign(f"coreml-gate: baseline: {note.source}: {note.origin}")
    return 0


def _search(context: StepContext, request: BaselineRequest) -> BaselineNote:
    """The note on the best baseline; a search that GitHub refuses ends like one that finds nothing."""
    event = context.event
    head = request.head or context.around.environment.get("GITHUB_SHA", event.head_sha)
    reasons: tuple[str, ...]
    commit = None
    try:
        commit = request.base or merge_base(context.client, event.base_sha or event.base_ref, head)
        query = BaselineQuery(
            key=request.key,
            commit=commit,
            workflow_path=request.workflow or event.workflow_path,
            environment=environment_of_this_machine(),
            ancestors=request.ancestors,
        )
        with find(context.client, query) as (stored, reasons):
            if stored is not None:
                unpack(stored, request.to)
                return BaselineNote(source=stored.source, commit=stored.commit, origin=stored.origin)
    except (GitHubError, ArtifactError) as error:
        remove(request.to)
        context.warn([str(error)])
        reasons = (error.message.rstrip("."),)
    source: BaselineOrigin = "rebuild" if request.rebuild else "none"
    return BaselineNote(source=source, commit=commit, origin="; ".join(reasons))


def accept(request: AcceptRequest, around: Surroundings, effects: Effects) -> int:
    """Note in the Record of a base branch which failures merged pull requests brought along, accepted.

    Without permission to read them the Record stays as it is: a failure then blocks, which is the safe side.
    """
    with at_work(request, around, effects) as context:
        path = request.record / RECORD_NAME
        record, today = read_record(path), effects.clock().date()
        try:
            found = accepted_failures(context.client, context.event.base_ref, request.author, today)
        except GitHubError as error:
            context.warn([str(error)])
            return 0
        write_record(changed(record, accepted=found), path)
        for each in found:
            words = f"{each.check} of {each.model} until {each.until}, pull request {each.pull_request}"
            context.say_foreign(f"coreml-gate: accepted: {words}")
    return 0


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
