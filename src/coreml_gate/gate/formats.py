"""A Plan as text, as JSON, and as the matrix of a GitHub workflow."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from coreml_gate.gate.git import short
from coreml_gate.gate.plan import Plan
from coreml_gate.gate.shards import MAX_SHARDS, shards
from coreml_gate.wording import counted


def as_text(plan: Plan) -> str:
    """One line for each model, under a line with the counts and the commits."""
    head = ("the work tree" if plan.head is None else short(plan.head)) + (
        " with uncommitted changes" if plan.dirty else ""
    )
    since = f"since {short(plan.base)} " if plan.base is not None else ""
    names = [*(job.name for job in plan.jobs), *(model.name for model in plan.skipped)]
    width = max(map(len, names), default=0)
    measured = f"{counted(len(plan.jobs), 'model')} to measure at {head}"
    lines = [f"{measured}, {len(plan.skipped)} skipped {since}".rstrip()]
    lines += [f"  measure  {job.name:{width}}  {job.reason}" for job in plan.jobs]
    lines += [f"  skip     {model.name:{width}}  {model.reason}" for model in plan.skipped]
    return "\n".join(lines) + "\n"


def as_json(plan: Plan) -> str:
    """The whole plan as one object."""
    whole = {
        "base": plan.base,
        "head": plan.head,
        "dirty": plan.dirty,
        "jobs": [asdict(job) for job in plan.jobs],
        "skipped": [model.model_dump(exclude={"opened"}) for model in plan.skipped],
    }
    return json.dumps(whole, indent=2) + "\n"


def as_github_matrix(plan: Plan, count: int = MAX_SHARDS) -> str:
    """A matrix with at most ``count`` jobs on one line, each with its models' names and spaces between them.

    GitHub refuses a matrix without jobs, therefore an empty plan has one job with an empty ``model`` and
    shard 0; a workflow that wants to spare that runner puts ``if:`` on the plan's number of jobs.
    """
    legs = shards([job.name for job in plan.jobs], count)
    return json.dumps({"include": legs or [{"model": "", "shard": 0}]}) + "\n"


FORMATS: Final[dict[str, Callable[[Plan], str]]] = {
    "text": as_text,
    "json": as_json,
    "github-matrix": as_github_matrix,
}
"""The values of ``--format``."""
