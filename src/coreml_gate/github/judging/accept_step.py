"""The step ``accept``: notes in a new baseline which of its failures were accepted."""

from coreml_gate.errors import GitHubError
from coreml_gate.frozen import changed
from coreml_gate.github.effects import Effects
from coreml_gate.github.judging.accepted_failures import accepted_failures
from coreml_gate.github.requests import AcceptRequest
from coreml_gate.github.step_context import at_work
from coreml_gate.record import RECORD_NAME, read_record, write_record
from coreml_gate.surroundings import Surroundings


def accept(request: AcceptRequest, around: Surroundings, effects: Effects) -> int:
    """Note in the base branch's Record which failures were accepted in merged pull requests.

    Without permission to read them the Record is left unchanged, so that a failure blocks, which is safe.
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
