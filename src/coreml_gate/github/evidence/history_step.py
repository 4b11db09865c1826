"""The step ``history``: a push to the base branch adds its figures to what earlier pushes stored."""

from coreml_gate.errors import ArtifactError, GateError, GitHubError
from coreml_gate.github.effects import Effects
from coreml_gate.github.evidence.base_commit import checked_out
from coreml_gate.github.evidence.release import last_release
from coreml_gate.github.evidence.stored_history import stored_history
from coreml_gate.github.requests import HistoryRequest
from coreml_gate.github.step_context import StepContext, at_work
from coreml_gate.history import History, ReleaseMark, merged, write_history
from coreml_gate.history.commits import dated_entry
from coreml_gate.record import RECORD_NAME, read_record
from coreml_gate.surroundings import Surroundings
from coreml_gate.wording import counted


def history(request: HistoryRequest, around: Surroundings, effects: Effects) -> int:
    """Write the merged history; what cannot be read of the earlier ones is a warning."""
    with at_work(request, around, effects) as context:
        record = read_record(request.record / RECORD_NAME)
        entry = dated_entry(record, checked_out(around.folder, around.environment))
        own = History(entries=() if entry is None else (entry,))
        found = merged(_stored(context, request), own, _release(context))
        write_history(found, request.to)
        context.say(f"coreml-gate: history of {counted(len(found.entries), 'commit')}")
    return 0


def _stored(context: StepContext, request: HistoryRequest) -> History:
    try:
        workflow = request.workflow or context.event.workflow_path
        found, notices = stored_history(context.client, request.key, workflow)
    except GateError as error:
        context.warn([f"The history begins anew: {error.sentence}"])
        return History()
    context.warn(notices)
    return found


def _release(context: StepContext) -> History:
    try:
        release = last_release(context.client)
    except (ArtifactError, GitHubError):
        return History()
    return History(releases=(ReleaseMark(tag=release.tag, commit=release.commit),))
