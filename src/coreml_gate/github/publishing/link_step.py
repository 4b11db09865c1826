"""The step ``link``: adds the page's address, known only after its upload, to the comment."""

import re
from typing import Final

from coreml_gate.errors import GitHubError, UsageError
from coreml_gate.github.api.client import requesting
from coreml_gate.github.effects import Effects
from coreml_gate.github.publishing.body import with_page
from coreml_gate.github.publishing.comment import PERMISSION, Thread, find_own
from coreml_gate.github.requests import LinkRequest
from coreml_gate.github.step_context import StepContext, at_work
from coreml_gate.github.without_install import stamp_in
from coreml_gate.surroundings import Surroundings

_NUMBER: Final = re.compile(r"/pull/(\d{1,9})#")
_ADDRESS: Final = re.compile(r"https://[\w./:-]{1,500}")


def link(request: LinkRequest, around: Surroundings, effects: Effects) -> int:
    """Link the comment to the page, if this run wrote it; a failure gives a notice."""
    found = _NUMBER.search(request.comment_url)
    if found is None or not _ADDRESS.fullmatch(request.page_url):
        raise UsageError(
            f"`{request.comment_url[:200]}` and `{request.page_url[:200]}` are not the addresses of a "
            "comment and a page.",
            "pass the output `comment-url` of `report`, and `artifact-url` of actions/upload-artifact.",
        )
    with at_work(request, around, effects) as context:
        try:
            _link(context, int(found[1]), request)
        except GitHubError as error:
            context.warn([str(error)])
    return 0


def _link(context: StepContext, number: int, request: LinkRequest) -> None:
    own = find_own(Thread(context.client, number, request.key, request.author))
    if not own or stamp_in(own[0].body) != context.event.stamp:
        return
    with requesting(f"comment {own[0].id} on pull request {number}", PERMISSION):
        own[0].edit(with_page(own[0].body, context.event.run_url, request.page_url))
