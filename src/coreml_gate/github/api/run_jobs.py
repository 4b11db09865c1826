"""How the jobs of a run ended, and whether that was by a cancellation or by the clock."""

from itertools import islice
from typing import Final, Literal

from coreml_gate.errors import GitHubError
from coreml_gate.github.api.artifacts import READ_ACTIONS
from coreml_gate.github.api.client import Client, asking

MAX_JOBS: Final = 256
"""As many as GitHub makes of one matrix (docs.github.com, Actions limits)."""
_MAX_ANNOTATIONS: Final = 20
_OUT_OF_TIME: Final = "exceeded the maximum execution time"
"""What the annotation of a job says that ran out of its ``timeout-minutes``."""


def ended_early(client: Client, run: int) -> Literal["cancelled", "timed_out"] | None:
    """How a job of the run was ended, if one was; ``None`` also where GitHub does not say.

    GitHub concludes a job as cancelled when it ran out of time, too (paiml/aprender#3293): only an annotation
    on the job distinguishes them.
    """
    try:
        return _ended_early(client, run)
    except GitHubError:
        return None


def _ended_early(client: Client, run: int) -> Literal["cancelled", "timed_out"] | None:
    with asking(f"jobs of run {run}", READ_ACTIONS):
        jobs = islice(client.repository.get_workflow_run(run).jobs(), MAX_JOBS)
        ended = [job for job in jobs if job.conclusion in ("cancelled", "timed_out")]
    if not ended:
        return None
    timed_out = (job.conclusion == "timed_out" or _ran_out_of_time(client, job.id) for job in ended)
    return "timed_out" if any(timed_out) else "cancelled"


def _ran_out_of_time(client: Client, job: int) -> bool:
    """A job is a check run of the same number."""
    with asking(f"annotations of job {job}", "checks: read"):
        annotations = islice(client.repository.get_check_run(job).get_annotations(), _MAX_ANNOTATIONS)
        return any(_OUT_OF_TIME in (each.message or "") for each in annotations)
