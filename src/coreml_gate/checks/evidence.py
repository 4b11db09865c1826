"""What a check may look at, and the findings of a check that cannot decide."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from coreml_gate.config import Limits, ModelConfig
from coreml_gate.criteria import Group, by_output
from coreml_gate.errors import UnsupportedOperationsError
from coreml_gate.mil.diff import read_outline
from coreml_gate.mil.diff_matching import Matching, match, partners
from coreml_gate.record import (
    NEURAL_ENGINE_UNITS,
    ChildEnding,
    Comparison,
    ComputeUnits,
    Environment,
    Machine,
    Metric,
    ModelRecord,
)
from coreml_gate.timing import ALPHA
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import number

_REFUSED: Final = "not measured: the package rejects the samples, see parity."
_NARROW: Final = re.compile(r"=(fp16|u?int16|u?int8)\b")
"""A half-precision or short integer result, in a line of an outline."""

LOST_WEIGHTS: Final = (
    "check that its weights still load: `load_state_dict(..., strict=False)` skips every key that does not "
    "match."
)
LOST: Final = "not measured: an earlier step failed."
"""The message of every check after the one that reports the failure; reports show it once per model."""
_MOST_DIGITS: Final = 10
_NO_MAC: Final = "not run: Core ML needs macOS."
_OFF: Final = "not run: Core ML was not used on this Mac (`--core-ml off`)."


@dataclass(frozen=True)
class Evidence:
    """One model as measured at the head, the same model in the baseline if any, and its limits."""

    config: ModelConfig
    head: ModelRecord
    base: ModelRecord | None
    environment: Environment
    base_environment: Environment | None
    p_values: Mapping[Metric, float] = field(default_factory=dict)
    """P-values of "no slower than the baseline", corrected for the other models and metrics of the run."""
    family_alpha: float = ALPHA
    """The error rate of each timing comparison in the whole Verdict, which several jobs may have measured."""

    @property
    def limits(self) -> Limits:
        """The limits of this model."""
        return self.config.limits

    @cached_property
    def before(self) -> ModelRecord:
        """The baseline's Record of the model; an empty one without a baseline."""
        return self.base or ModelRecord(name=self.head.name)

    @cached_property
    def matching(self) -> Matching | None:
        """Which operations of baseline and head correspond; ``None`` without both outlines."""
        base = self.before.outline
        if not base or not self.head.outline:
            return None
        head = read_outline(self.head.outline)
        return match(head if base == self.head.outline else read_outline(base), head)

    @cached_property
    def partners(self) -> Mapping[str, str] | None:
        """For each operation of the head the baseline's, by plain names."""
        return None if self.matching is None else partners(self.matching)

    @cached_property
    def base_parity(self) -> Mapping[str, Group]:
        """The baseline's comparisons by output, cached because a Record can have thousands."""
        return by_output(self.before.parity)

    @cached_property
    def base_precision(self) -> Mapping[str, Group]:
        """Like :attr:`base_parity`."""
        return by_output(self.before.precision)

    def floored(self, comparisons: Iterable[Comparison]) -> tuple[Comparison, ...]:
        """Comparisons from another process, with the noise floor that this Record knows."""
        source = self.head.source
        floors = {} if source is None else {each.output: each.error for each in source.floors}
        return tuple(replace(each, floor=floors.get(each.output, each.floor)) for each in comparisons)

    @property
    def lost_its_weights(self) -> bool:
        """Whether the model looks untrained and the baseline's does not."""
        head, base = self.head.source, self.before.source
        return bool(head and base and head.untrained_signs and not base.untrained_signs)

    @property
    def computes_in_float32(self) -> bool:
        """Whether no operation of the package has a half or short integer result; false if unknown."""
        lines = self.head.outline
        return bool(lines) and not any(_NARROW.search(line) for line in lines)

    @property
    def toolchain_changes(self) -> tuple[str, ...]:
        """One line per version that differs between head and baseline.

        Another version of torch or the converter makes another package of the same source. A difference
        between two environments therefore has two possible causes: it is reported, with these lines, but the
        pull request cannot be blamed for it.
        """
        if self.base is None or self.base_environment is None:
            return ()
        changes = self.base_environment.changes_to(self.environment)
        return tuple(f"the baseline was {change}" for change in changes)

    @property
    def other_weights(self) -> str:
        """Why the team's package may fail: it has other weights than the source; empty if it has the same."""
        facts = self.head.conversion
        weights = None if facts is None else facts.weights
        if facts is None or weights is None or weights.found == weights.matrices:
            return ""
        if self.head.compression is not None:
            before = self.before.compression
            was = "" if before is None else f", {number(before.bits, 2)} in the baseline"
            bits = number(self.head.compression.bits, 2)
            return (
                f"`{facts.maker}` stores {bits} bits per weight{was}: with so few, the package computes "
                "something else (use more bits, smaller blocks or less sparsity), or its weights are not "
                "the source's."
            )
        return (
            f"{weights.found} of {weights.matrices} weight matrices of the source are in the package that "
            f"`{facts.maker}` made: it may come from other weights or another module (a matrix may also be "
            "folded into its neighbour, or compressed)."
        )

    @property
    def regression(self) -> Status:
        """The status of a figure that is worse than the baseline allows (see :attr:`toolchain_changes`)."""
        return Status.UNSURE if self.toolchain_changes else Status.FAIL

    @property
    def without_core_ml(self) -> str:
        """Why Core ML measured nothing, for every check that needs it."""
        if not self.environment.platform.startswith("Darwin"):
            return _NO_MAC
        return _OFF if self.head.problem is None and self.head.package is not None else LOST

    def unmeasured(self, check: str, subject: str, lost: Status = Status.UNSURE) -> Finding:
        """The finding of a check whose figures are missing: ``unsure``, never skipped.

        ``lost`` is its status if nothing explains it: a failure where every package has such figures.
        """
        if self.head.unsupported:
            error = UnsupportedOperationsError(self.head.unsupported)
            return Finding(
                check=check, status=Status.UNSURE, subject=subject, message=error.message, hint=error.hint
            )
        if self.head.problem is not None or self.head.package is None:
            return Finding(check=check, status=Status.UNSURE, subject=subject, message=LOST)
        if any(each.by == "package" for each in self.head.refused_shapes):
            return Finding(check=check, status=Status.UNSURE, subject=subject, message=_REFUSED)
        return Finding(
            check=check,
            status=lost,
            subject=subject,
            message="the Record has no data for this check.",
            hint="measure the model again with this version.",
        )


def status_of_loss(ending: ChildEnding, units: ComputeUnits, machine: Machine) -> Status:
    """A child of Core ML ended early, so what it was to measure is lost: a failure that must not merge.

    It stays open where the head's package need not be at fault: one of the base, a virtual machine, an honest
    load that takes long.
    """
    of_base = ending.phase.endswith(("-base", "-again"))
    is_open = of_base or is_excused(units, machine) or is_slow_load(ending, units)
    return Status.UNSURE if is_open else Status.FAIL


def is_excused(units: ComputeUnits, machine: Machine) -> bool:
    """On a virtual machine only the CPU is Core ML's own: what breaks elsewhere is not the model's fault."""
    return bool(machine.virtual) and units != "CPU_ONLY"


def is_slow_load(ending: ChildEnding, units: ComputeUnits) -> bool:
    """An honest model's first load on the Neural Engine took 519 s (argmaxinc/argmax-oss-swift#208)."""
    return ending.how == "timed-out" and ending.phase.startswith("load") and units in NEURAL_ENGINE_UNITS


def file_and_line(place: str) -> tuple[str, int | None]:
    """File and line of ``models/net.py:41``; empty if the place is not a line of the repository."""
    file, _, line = place.rpartition(":")
    return (file, int(line)) if file and line.isdecimal() and len(line) < _MOST_DIGITS else ("", None)


def skipped(check: str, subject: str, reason: str) -> Finding:
    """The finding of a check that did not run."""
    return Finding(check=check, status=Status.SKIPPED, subject=subject, message=reason)
