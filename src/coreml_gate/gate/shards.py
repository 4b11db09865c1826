"""Models shared among the jobs of a matrix: of a job for each model, most would wait for one of five Macs."""

from collections.abc import Sequence
from typing import Final, TypedDict

from coreml_gate.errors import UsageError
from coreml_gate.record import ModelRecord, Record

MAX_SHARDS: Final = 256
"""As many jobs as GitHub makes of one matrix (docs.github.com, Actions limits)."""


class Leg(TypedDict):
    """One job of a matrix: its models' names with spaces between them, and its number."""

    model: str
    shard: int


def shards(names: Sequence[str], count: int) -> list[Leg]:
    """At most ``count`` jobs that differ by at most one model; neighbours of ``names`` are kept apart."""
    if not 1 <= count <= MAX_SHARDS:
        raise UsageError(
            f"--shards {count} is not between 1 and {MAX_SHARDS}.",
            f"GitHub makes at most {MAX_SHARDS} jobs of a matrix.",
        )
    used = min(count, len(names))
    return [{"model": " ".join(names[first::used]), "shard": first + 1} for first in range(used)]


def needing_core_ml(head: Record, base: Record | None) -> list[str]:
    """The models of which Core ML could say something new: a package that is not the base's. Largest first.

    A model that failed to convert has no package for Core ML to run, and a package that is the same byte by
    byte would give the same.
    """
    changed = [model for model in head.models if _is_new(model, base)]
    return [model.name for model in sorted(changed, key=_bytes, reverse=True)]


def _is_new(model: ModelRecord, base: Record | None) -> bool:
    if model.package is None:
        return False
    before = None if base is None else base.model(model.name)
    return before is None or before.package is None or before.package.fingerprint != model.package.fingerprint


def _bytes(model: ModelRecord) -> int:
    return 0 if model.package is None else model.package.total_bytes
