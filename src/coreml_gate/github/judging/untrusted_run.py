"""Publishes the Verdict on an untrusted run: its numbers, the base branch's limits, the rest from GitHub."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, Literal

from coreml_gate.errors import ArtifactError, EventError, GateError, GitHubError, RecordError
from coreml_gate.gate.baseline import Baseline, as_baseline, no_baseline
from coreml_gate.github.api.artifacts import READ_ACTIONS
from coreml_gate.github.api.client import Client, requesting
from coreml_gate.github.api.event import Event, SourceRun
from coreml_gate.github.api.pull_request import Pull, identify, if_current, read_config, read_pull
from coreml_gate.github.evidence.baseline import BaselineQuery, find, merge_base, unchanged_models
from coreml_gate.github.evidence.untrusted_record import read_untrusted, rejudge
from coreml_gate.github.judging.known_to_github import (
    with_carried,
    with_config_and_overrides,
    with_drift,
    with_notes,
    with_queued_overrides,
)
from coreml_gate.github.judging.no_verdict import Ending, NoVerdict, broken, unfinished
from coreml_gate.github.judging.publication import Publication, PublicationTerms
from coreml_gate.verdict import Verdict

_BASE_LIMITS: Final = "Judged with the limits of the base branch."
_UNFINISHED: Final[dict[str, Ending]] = {"cancelled": "cancelled", "timed_out": "timed_out"}
MAX_JOBS: Final = 256
"""Most jobs of one matrix (docs.github.com, Actions limits)."""
_MAX_ANNOTATIONS: Final = 20
_OUT_OF_TIME: Final = "exceeded the maximum execution time"
"""The annotation of a job that exceeded its ``timeout-minutes``."""


def reported_publication(client: Client, run: SourceRun, terms: PublicationTerms) -> Publication:
    """What is published of another workflow's run, including which pull request it belongs to."""
    try:
        _require_own_workflow(run, terms.workflow_path)
        identified = identify(client, run)
    except GateError as error:
        return Publication(broken(error), error=error)
    if identified.pull is None:
        why = NoVerdict("failure", "not reported", f"{identified.reason}.")
        return Publication(why, notices=(identified.reason,))
    try:
        return _judged(client, run, identified.pull, terms, base=identified.pull.base_ref)
    except GateError as error:
        return Publication(broken(error), identified.pull, error=error)


def gathered_publication(client: Client, event: Event, terms: PublicationTerms) -> Publication:
    """What is published of the other jobs of this run, which ran foreign code too."""
    notices: list[str] = []
    run = event.measuring_run
    pull = None if event.pull_request is None else read_pull(client, event.pull_request)
    current = None if pull is None else if_current(pull, event, notices)
    try:
        if run is None:
            raise EventError(f"no other job of `{event.name}` measures.", "use mode `collect` in one.")
        found = _judged(client, run, pull, terms, base=event.base_ref, base_sha=event.base_sha)
    except GateError as error:
        return Publication(broken(error), current, tuple(notices), error=error)
    judged = found.judged
    if isinstance(judged, Verdict):
        judged = with_queued_overrides(client, judged, event, terms, notices)
    return replace(found, judged=judged, pull=current, notices=(*notices, *found.notices))


def _judged(
    client: Client,
    run: SourceRun,
    pull: Pull | None,
    terms: PublicationTerms,
    *,
    base: str,
    base_sha: str | None = None,
) -> Publication:
    config = read_config(client, base, terms.config)
    try:
        merged = read_untrusted(client, run, terms.key, terms.records)
    except (ArtifactError, RecordError) as error:
        early = ended_early(client, run.id) or _UNFINISHED.get(run.conclusion)
        if early is None:
            raise
        return Publication(unfinished(early), pull, notices=(error.sentence,))
    notices: list[str] = []
    baseline = _stored_baseline(client, base_sha or base, run, terms, config.gate.toolchain)
    verdict = rejudge(config, merged.record, baseline.record, baseline.facts)
    verdict = with_carried(verdict, baseline.record, terms)
    verdict = with_notes(verdict, "record", merged.notes)
    if pull is not None:
        verdict = with_config_and_overrides(client, verdict, pull, terms, notices, run.head_sha, _BASE_LIMITS)
        verdict = with_drift(client, verdict, pull, merged.record, terms, notices)
    return Publication(verdict, pull, tuple(notices), merged.record, baseline.record)


def _require_own_workflow(run: SourceRun, path: str) -> None:
    """Refuse a fork's workflow of the same name under another path, whose runs have no baseline."""
    if run.path != path:
        raise EventError(
            f"run {run.id} is of the workflow `{run.path[:200]}`, not of `{path}`.",
            "`--workflow` must name the file that measures pull requests and stores baselines.",
        )


def _stored_baseline(
    client: Client, base: str, run: SourceRun, terms: PublicationTerms, toolchain: Sequence[str]
) -> Baseline:
    """The stored Record of the merge base or an ancestor, never one from the untrusted run."""
    commit = merge_base(client, base, run.head_sha)
    query = BaselineQuery(terms.key, commit, terms.workflow_path)
    with find(client, query) as (stored, reasons):
        if stored is not None:
            return unchanged_models(client, as_baseline(stored.record, stored.origin), commit, toolchain)
    return no_baseline(f"none: {'; '.join(reasons)}", commit)


def ended_early(client: Client, run: int) -> Literal["cancelled", "timed_out"] | None:
    """How a job of the run was ended early; ``None`` if none was, or if GitHub does not say.

    GitHub also concludes a job as cancelled if it ran out of time (paiml/aprender#3293); only an annotation
    on the job distinguishes the two.
    """
    try:
        return _ended_early(client, run)
    except GitHubError:
        return None


def _ended_early(client: Client, run: int) -> Literal["cancelled", "timed_out"] | None:
    with requesting(f"jobs of run {run}", READ_ACTIONS):
        jobs = islice(client.repository.get_workflow_run(run).jobs(), MAX_JOBS)
        ended = [job for job in jobs if job.conclusion in ("cancelled", "timed_out")]
    if not ended:
        return None
    timed_out = (job.conclusion == "timed_out" or _ran_out_of_time(client, job.id) for job in ended)
    return "timed_out" if any(timed_out) else "cancelled"


def _ran_out_of_time(client: Client, job: int) -> bool:
    """Whether the check run of the job, which has the same number, is annotated with a timeout."""
    with requesting(f"annotations of job {job}", "checks: read"):
        annotations = islice(client.repository.get_check_run(job).get_annotations(), _MAX_ANNOTATIONS)
        return any(_OUT_OF_TIME in (each.message or "") for each in annotations)
