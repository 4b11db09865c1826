"""The data that the page draws of a model: program, memory, paired times, and the gate's own time.

The program is that of the package that ships. Figures of its float32 twin are found by name, because the
converter's FP16 pass only appends ``_cast_fp16``.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from coreml_gate.checks.devices import fit_on
from coreml_gate.devices import that_run
from coreml_gate.errors import RecordError
from coreml_gate.foreign.escape import short_name
from coreml_gate.mil.diff import Node, ProgramOutline, read_outline
from coreml_gate.mil.diff_matching import match
from coreml_gate.record import (
    HALF_MODES,
    HalfMode,
    MemoryFacts,
    ModelRecord,
    OperationProfile,
    TimedMetric,
    Timing,
)
from coreml_gate.timing import sign_interval
from coreml_gate.wording import MB

_TARGET: Final = re.compile(r"iOS(\d{1,3})")
_GREATEST_LOGARITHM: Final = 100.0
MOST_PAIRS: Final = 2_000
"""Pairs drawn for one metric; the interval is that of all pairs."""
DAMAGED: Final = 0.01
"""Relative error from which a result counts as wrong: 40 dB, which half precision should reach."""
ErrorMode = HalfMode | Literal["fp32"]
"""``fp32``: the float32 package against its source, if a parity failure was diagnosed."""
_CAST: Final = "_cast_fp16"
Figure = float | None


@dataclass(frozen=True)
class AnnotatedProgram:
    """The lines of a program, with the base's figures for operations that have a partner there."""

    lines: tuple[Node, ...]
    places: tuple[str, ...]
    reaches: tuple[Figure, ...]
    errors: Mapping[ErrorMode, tuple[Figure, ...]]
    base_errors: Mapping[HalfMode, tuple[Figure, ...]]
    base_reaches: tuple[Figure, ...]
    first_wrong: int | None
    """The line that the parity diagnosis names, else the first one that is wrong in half precision although
    its operands are not."""

    def columns(self) -> dict[str, object]:
        """The same for the page's scripts, as one list per column."""
        return {
            "name": [short_name(node.name) for node in self.lines],
            "type": [short_name(node.type) for node in self.lines],
            "module": [short_name(node.module) for node in self.lines],
            "gives": [short_name(", ".join(result.type for result in node.results)) for node in self.lines],
            "reads": [short_name(", ".join(node.reads)) for node in self.lines],
            "place": [short_name(place) for place in self.places],
            "reaches": self.reaches,
            "errors": self.errors,
            "baseErrors": self.base_errors,
            "baseReaches": self.base_reaches,
            "firstWrong": self.first_wrong,
        }


@dataclass(frozen=True)
class _Measured:
    """A profile by operation name."""

    places: Mapping[str, str]
    reaches: Mapping[str, Figure]
    errors: Mapping[HalfMode, Mapping[str, Figure]]

    @classmethod
    def of(cls, profile: OperationProfile | None) -> "_Measured":
        if profile is None:
            return cls({}, {}, {})
        names = profile.operations
        errors = {mode: dict(zip(names, curve, strict=True)) for mode, curve in profile.errors.items()}
        return cls(
            dict(zip(names, profile.places, strict=True)),
            dict(zip(names, profile.reaches, strict=True)),
            errors,
        )

    def name_of(self, node: Node) -> str:
        return node.name if node.name in self.places else node.name.removesuffix(_CAST)

    def column(self, nodes: Iterable[Node | None], of: Mapping[str, Figure]) -> tuple[Figure, ...]:
        return tuple(None if node is None else of.get(self.name_of(node)) for node in nodes)


def drawn(head: ModelRecord, base: ModelRecord | None) -> dict[str, object]:
    """Data for the page's scripts, without parts that were not measured."""
    program = _annotated(head, base)
    found = {
        "program": None if program is None else program.columns(),
        "memory": _memory(head.memory, None if base is None else base.memory),
        "times": _times(head),
        "devices": _devices(head),
        "phases": [[short_name(phase.step), phase.seconds] for phase in head.phases],
    }
    return {name: part for name, part in found.items() if part}


def _memory(head: MemoryFacts | None, base: MemoryFacts | None) -> dict[str, object] | None:
    if head is None or not head.timeline:
        return None
    return {
        "live": head.timeline,
        "weights": head.weight_bytes,
        "peak": short_name(head.peak_operation),
        "base": [] if base is None else base.timeline,
        "baseWeights": 0 if base is None else base.weight_bytes,
    }


def _times(record: ModelRecord) -> list[Mapping[str, object]]:
    timing = None if record.core_ml is None else record.core_ml.timing
    return [] if timing is None else [_pairs(timed, timing) for timed in timing.metrics]


def _pairs(timed: TimedMetric, timing: Timing) -> dict[str, object]:
    logs = [ratio for group in timed.log_ratios for ratio in group]
    interval = sign_interval(logs, timing.alpha)
    known = math.isfinite(interval.low)
    return {
        "metric": timed.metric,
        "where": timing.units if timing.engine == "core-ml" else "MIL runtime",
        "ratios": [_ratio(each) for each in logs[:MOST_PAIRS]],
        "median": _ratio(interval.median) if logs else None,
        "low": _ratio(interval.low) if known else None,
        "high": _ratio(interval.high) if known else None,
        "baseMs": timed.base_ms,
        "headMs": timed.head_ms,
    }


def _ratio(logarithm: float) -> float:
    """Head divided by base; a forged Record may contain a logarithm beyond the range of a float."""
    return round(math.exp(min(logarithm, _GREATEST_LOGARITHM)), 4)


def _devices(record: ModelRecord) -> list[list[object]]:
    """Every device that runs the package's deployment target, the one with the least memory first."""
    memory, package = record.memory, record.package
    target = None if package is None else _TARGET.fullmatch(package.deployment_target)
    if memory is None or package is None or target is None:
        return []
    fits = [fit_on(device, memory, package, record.cost) for device in that_run(target[1])]
    return [
        [
            fit.device.name,
            fit.device.chip.name,
            fit.status.value,
            round(100 * fit.share, 1),
            round(fit.budget / MB),
            fit.device.app_is_estimated,
            f"{fit.device.oldest_ios} to {fit.device.newest_ios}",
            None if fit.least_ms is None else round(fit.least_ms, 3),
        ]
        for fit in sorted(fits, key=lambda fit: -fit.share)
    ]


def _annotated(head: ModelRecord, base: ModelRecord | None) -> AnnotatedProgram | None:
    """The head's program; ``None`` if the Record has none, or one that cannot be read."""
    outline = _outline(head)
    if outline is None or not outline.nodes:
        return None
    own = _Measured.of(head.profile)
    errors: dict[ErrorMode, tuple[Figure, ...]] = {
        mode: own.column(outline.nodes, own.errors[mode]) for mode in HALF_MODES if mode in own.errors
    }
    conversion, blamed = _conversion_errors(head), _wrong_conversion(head, outline, own)
    if conversion:
        errors["fp32"] = own.column(outline.nodes, conversion)
    places = tuple(own.places.get(own.name_of(node), "") for node in outline.nodes)
    partners = _partners(head, base, outline)
    other = _Measured.of(None if base is None else base.profile)
    return AnnotatedProgram(
        lines=outline.nodes,
        places=places,
        reaches=own.column(outline.nodes, own.reaches),
        errors=errors,
        base_errors={mode: other.column(partners, of) for mode, of in other.errors.items()},
        base_reaches=other.column(partners, other.reaches) if other.reaches else (),
        first_wrong=_first_wrong(outline.nodes, errors.get("fp16", ())) if blamed is None else blamed,
    )


def _conversion_errors(record: ModelRecord) -> Mapping[str, Figure]:
    return {} if record.parity_diagnosis is None else record.parity_diagnosis.first_wrong.errors


def _wrong_conversion(record: ModelRecord, outline: ProgramOutline, own: "_Measured") -> int | None:
    """The line of the operation that the parity diagnosis names, if the program has it."""
    named = "" if record.parity_diagnosis is None else record.parity_diagnosis.first_wrong.operation
    lines = (at for at, node in enumerate(outline.nodes) if named in (node.name, own.name_of(node)))
    return next(lines, None) if named else None


def _outline(record: ModelRecord) -> ProgramOutline | None:
    try:
        return read_outline(record.outline) if record.outline else None
    except (RecordError, ValueError):
        return None


def _partners(head: ModelRecord, base: ModelRecord | None, outline: ProgramOutline) -> Sequence[Node | None]:
    """For each line of the head, the same operation of the base."""
    if base is None or base.profile is None:
        return [None] * len(outline.nodes)
    if base.outline == head.outline:
        return outline.nodes
    before = _outline(base)
    found: list[Node | None] = [None] * len(outline.nodes)
    if before is not None:
        for one, other in match(before, outline).pairs():
            found[other] = before.nodes[one]
    return found


def _first_wrong(nodes: Sequence[Node], errors: Sequence[Figure]) -> int | None:
    return next(_wrong_by_themselves(nodes, errors), None)


def _wrong_by_themselves(nodes: Sequence[Node], errors: Sequence[Figure]) -> Iterator[int]:
    wrong: set[str] = set()
    for at, (node, error) in enumerate(zip(nodes, errors, strict=False)):
        inherited = bool(wrong.intersection(node.reads))
        if (error is not None and error > DAMAGED) or (error is None and inherited):
            wrong.update(result.name for result in node.results)
            if not inherited:
                yield at
