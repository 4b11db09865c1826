"""The step ``report``: publishes the result of a run, and exits with its code."""

from coreml_gate.github.api.event import Mode
from coreml_gate.github.effects import Effects
from coreml_gate.github.judging.no_verdict import NoVerdict, unfinished
from coreml_gate.github.judging.own_run import own_publication
from coreml_gate.github.judging.publication import Publication, PublicationTerms
from coreml_gate.github.judging.untrusted_run import gathered_publication, reported_publication
from coreml_gate.github.publishing.publish import comment_on, leave_behind, suggest
from coreml_gate.github.publishing.status.optional import check_of
from coreml_gate.github.publishing.status.outcome import concluded, outcome_of
from coreml_gate.github.requests import ReportRequest
from coreml_gate.github.step_context import StepContext, at_work
from coreml_gate.github.without_install import ending
from coreml_gate.report import ReportOptions
from coreml_gate.surroundings import Surroundings

_UNPINNED = (
    "`--workflow` names no file: a fork can then measure in a workflow of its own making, for which there is "
    "no baseline. Name the file that measures pull requests and stores baselines."
)


def report(request: ReportRequest, around: Surroundings, effects: Effects) -> int:
    """Publish the Verdict: check, comment, summary, annotations, outputs. Its exit code is the Verdict's.

    Under ``workflow_run`` the check carries the Verdict; the exit code says whether reporting worked.
    """
    with at_work(request, around, effects) as context:
        options = ReportOptions(key=request.key, full_report_url=context.event.run_url)
        check = check_of(context, request)
        with concluded(check) as pending:
            publication = _publication(context, request)
            pending.outcome = outcome_of(publication.judged, options)
        posted, failed = comment_on(context, request, publication, options)
        suggested = suggest(context, request, publication)
        context.warn((*publication.notices, *check.notices, *failed, *suggested))
        links = {"comment-id": str(posted.id or ""), "comment-url": posted.url, "check-url": pending.url}
        leave_behind(context, request, publication, options, links)
    if publication.error is not None:
        raise publication.error
    judged = publication.judged
    return 0 if isinstance(judged, NoVerdict) or context.event.mode is Mode.REPORT else judged.exit_code


def _publication(context: StepContext, request: ReportRequest) -> Publication:
    event, run = context.event, context.event.source_run
    terms = PublicationTerms(
        key=request.key,
        config=request.config,
        workflow_path=request.workflow or (event.workflow_path if run is None else run.path),
        author=request.author,
        release=request.release,
        records=request.records,
        today=context.effects.clock().date(),
    )
    if run is not None:
        if not request.workflow:
            context.warn([_UNPINNED])
        return reported_publication(context.client, run, terms)
    if event.mode is Mode.GATHER:
        return gathered_publication(context.client, event, terms)
    ended = _ended(context, request)
    return own_publication(context.client, event, request.report, request.baseline, terms, ended)


def _ended(context: StepContext, request: ReportRequest) -> NoVerdict | None:
    """How this job was ended early, if it was."""
    if request.job_status != "cancelled":
        return None
    started = request.started
    elapsed = None if started is None else context.effects.clock().timestamp() - started
    conclusion, reason = ending(request.job_status, elapsed, request.timeout_minutes)
    return unfinished(conclusion, reason)
