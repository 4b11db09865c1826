"""Publishes a Verdict everywhere but in the check: comment, suggestions, summary, annotations, files."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from coreml_gate.errors import GateError, GitHubError
from coreml_gate.github.api.event import Mode
from coreml_gate.github.judging.no_verdict import NoVerdict
from coreml_gate.github.judging.publication import Publication
from coreml_gate.github.publishing.annotations import annotations_of, commands
from coreml_gate.github.publishing.body import body_of
from coreml_gate.github.publishing.comment import CommentMode, Posted, Thread, is_wanted, post
from coreml_gate.github.publishing.outputs import write_summary
from coreml_gate.github.publishing.review import review
from coreml_gate.github.requests import ReportRequest
from coreml_gate.github.step_context import StepContext
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.report.headline import must_not_merge
from coreml_gate.verdict import Verdict
from coreml_gate.writing import write_text

SUFFIXES: Final = {"markdown": ".md", "html": ".html", "json": ".json", "junit": ".xml", "sarif": ".sarif"}
"""Formats that are written as files, with their suffixes."""


def comment_on(
    context: StepContext, request: ReportRequest, publication: Publication, options: ReportOptions
) -> tuple[Posted, list[str]]:
    """Write the comment; a failure becomes a notice, so that it does not hide the Verdict."""
    mode, pull = CommentMode(request.comment), publication.pull
    if pull is None or mode is CommentMode.OFF or context.event.can_only_read:
        return Posted("none"), []
    thread = Thread(context.client, pull.number, request.key, request.author)
    body_after = body_of(publication.judged, context.event, options, token_in_reach=request.token_in_reach)
    wanted = is_wanted(mode, publication.judged)
    try:
        posted = post(thread, context.event.stamp, body_after, wanted=wanted)
    except GitHubError as error:
        return Posted("none"), [str(error)]
    return posted, [posted.notice] if posted.notice else []


def suggest(context: StepContext, request: ReportRequest, publication: Publication) -> list[str]:
    """Update the suggestions; a failure becomes a notice."""
    verdict, pull = publication.judged, publication.pull
    if isinstance(verdict, NoVerdict) or pull is None or context.event.can_only_read:
        return []
    if not request.suggestions or CommentMode(request.comment) is CommentMode.OFF:
        return []
    try:
        review(context.client, pull, verdict, request.config, request.key, request.author)
    except GateError as error:
        return [str(error)]
    return []


def leave_behind(
    context: StepContext,
    request: ReportRequest,
    publication: Publication,
    options: ReportOptions,
    links: dict[str, str],
) -> None:
    """Write summary, log, annotations, files and outputs; ``links`` are the outputs on comment and check."""
    judged = publication.judged
    if isinstance(judged, NoVerdict):
        context.output({"verdict": "none", **links})
        return
    if request.summary:
        write_summary(context.file("GITHUB_STEP_SUMMARY"), judged, options)
    context.say_foreign(FORMATS["terminal"](judged, options))
    if request.annotations:
        for line in commands(annotations_of(judged)):
            context.command(line)
    page = replace(options, record=publication.record, base=publication.base)
    context.output({**_outputs_of(judged), **_write_formats(context, request, judged, page), **links})


def _outputs_of(verdict: Verdict) -> dict[str, str]:
    return {
        "verdict": verdict.verdict.value,
        "exit-code": str(verdict.exit_code),
        "regressions": str(sum(must_not_merge(model) for model in verdict.models)),
        "baseline-commit": verdict.baseline.commit or "",
        "baseline-origin": verdict.baseline.origin,
    }


def _write_formats(
    context: StepContext, request: ReportRequest, verdict: Verdict, options: ReportOptions
) -> dict[str, str]:
    """Write the formats and return the report's path; without a folder, that of the unpublished report."""
    if request.page is not None:
        write_text(request.page, FORMATS["html"](verdict, options))
    if request.formats is None:
        return {"report": "" if context.event.mode is Mode.REPORT else str(request.report)}
    written = _written(request.formats, verdict, options)
    return {"report": str(written), "reports": str(request.formats)}


def _written(folder: Path, verdict: Verdict, options: ReportOptions) -> Path:
    for name, suffix in SUFFIXES.items():
        write_text(folder / f"report{suffix}", FORMATS[name](verdict, options))
    return folder / "report.json"
