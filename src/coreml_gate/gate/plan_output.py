"""A Plan as text, as JSON, and as a GitHub matrix that splits its models among jobs."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, TypedDict

from coreml_gate.errors import UsageError
from coreml_gate.gate.plan import Plan
from coreml_gate.wording import counted, short

if TYPE_CHECKING:
    from coreml_gate.record import ModelRecord, Record

MAX_SHARDS: Final = 256
"""The most jobs of one GitHub matrix (docs.github.com, Actions limits)."""


class Leg(TypedDict):
    """One job of a matrix: the names of its models, separated by spaces, and its number."""

    model: str
    shard: int


def shards(names: Sequence[str], count: int) -> list[Leg]:
    """At most ``count`` jobs of nearly equal size; neighbours in ``names`` go to different jobs."""
    if not 1 <= count <= MAX_SHARDS:
        raise UsageError(
            f"--shards {count} is not between 1 and {MAX_SHARDS}.",
            f"GitHub makes at most {MAX_SHARDS} jobs of a matrix.",
        )
    used = min(count, len(names))
    return [{"model": " ".join(names[first::used]), "shard": first + 1} for first in range(used)]


def needing_core_ml(head: "Record", base: "Record | None") -> list[str]:
    """The models with a package that differs from the base's, the only ones worth running Core ML on.

    Largest first. A model that failed to convert has no package for Core ML to run.
    """
    changed = [model for model in head.models if _is_new(model, base)]
    return [model.name for model in sorted(changed, key=_bytes, reverse=True)]


def _is_new(model: "ModelRecord", base: "Record | None") -> bool:
    if model.package is None:
        return False
    before = None if base is None else base.model(model.name)
    return before is None or before.package is None or before.package.fingerprint != model.package.fingerprint


def _bytes(model: "ModelRecord") -> int:
    return 0 if model.package is None else model.package.total_bytes


def as_text(plan: Plan) -> str:
    """A line with the counts and commits, then one line per model."""
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
        "skipped": [{"name": model.name, "reason": model.reason} for model in plan.skipped],
    }
    return json.dumps(whole, indent=2) + "\n"


def as_github_matrix(plan: Plan, count: int = MAX_SHARDS) -> str:
    """A matrix of at most ``count`` jobs, as one line of JSON.

    GitHub refuses a matrix without jobs, so an empty plan gives one job with an empty ``model`` and shard 0.
    A workflow that wants to save that runner checks the number of jobs with ``if:``.
    """
    legs = shards([job.name for job in plan.jobs], count)
    return json.dumps({"include": legs or [{"model": "", "shard": 0}]}) + "\n"


FORMATS: Final[dict[str, Callable[[Plan], str]]] = {
    "text": as_text,
    "json": as_json,
    "github-matrix": as_github_matrix,
}
"""The values of ``--format``."""
