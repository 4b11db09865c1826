"""The step ``baseline``: unpacks the stored baseline for later steps, or explains why there is none."""

from coreml_gate.errors import ArtifactError, GitHubError
from coreml_gate.gate.environment import environment_of_this_machine
from coreml_gate.github.effects import Effects
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
from coreml_gate.github.requests import BaselineRequest
from coreml_gate.github.step_context import StepContext, at_work
from coreml_gate.surroundings import Surroundings


def baseline(request: BaselineRequest, around: Surroundings, effects: Effects) -> int:
    """Find the stored baseline and unpack it, or leave the reasons for the report."""
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
    """The note on the best baseline; if GitHub refuses the search, as if nothing was found."""
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
