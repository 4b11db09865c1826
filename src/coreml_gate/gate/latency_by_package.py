"""The speed of a model's packages, provided that all of them were timed on the same device."""

import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from coreml_gate.devices import devices
from coreml_gate.record import CoreMlFacts, ModelRecord, Timing


@dataclass(frozen=True)
class Speeds:
    """Milliseconds per prediction by the package's name; empty if nothing was timed."""

    place: str = ""
    """``iPhone 12 (ALL)``, or ``this Mac, Apple M2 (CPU_AND_NE)``."""
    on_phone: bool = False
    ms: Mapping[str, float] = field(default_factory=dict)


def speeds_of(model: ModelRecord) -> Speeds:
    """The times on the oldest phone on which all packages were timed, else on the Mac, else none."""
    packages = [each for each in (model, *model.variants) if each.package is not None]
    return next(_on_phones(packages), None) or _on_mac(model, packages) or Speeds()


def _on_phones(packages: list[ModelRecord]) -> Iterator[Speeds]:
    order = list(devices())
    times = [_medians(each) for each in packages]
    shared = set.intersection(*(set(each) for each in times)) if times else set()
    for device, units in sorted(
        shared, key=lambda place: (order.index(place[0]) if place[0] in order else len(order), place)
    ):
        ms = {each.name: own[device, units] for each, own in zip(packages, times, strict=True)}
        yield Speeds(f"{device} ({units})", on_phone=True, ms=ms)


def _medians(model: ModelRecord) -> dict[tuple[str, str], float]:
    """Median by device and compute unit, for the current package only."""
    package = model.package
    return {
        (facts.device, facts.units): statistics.median(facts.predict_ms)
        for facts in model.on_device
        if facts.predict_ms and package is not None and facts.package == package.fingerprint
    }


def _on_mac(model: ModelRecord, packages: list[ModelRecord]) -> Speeds | None:
    """The shipped package's milliseconds, and each variant's by its ratio to them, from pairs."""
    timed = {each.name: found for each in packages if (found := _timed(each)) is not None}
    if not timed or len(timed) < len(packages) - 1:
        return None
    (facts, timing), *_ = timed.values()
    own = _predict(timing)[0]
    ms = {model.name: own} | {name: own * _predict(found)[1] for name, (_, found) in timed.items()}
    return Speeds(f"this Mac, {facts.machine.chip} ({timing.units})", ms=ms)


def _timed(variant: ModelRecord) -> tuple[CoreMlFacts, Timing] | None:
    """The variant's times if Core ML itself was timed, and not the stand-in or our runtime."""
    facts = variant.core_ml
    timing = None if facts is None else facts.timing
    if facts is None or timing is None or facts.machine.stand_in or timing.engine != "core-ml":
        return None
    return (facts, timing) if timing.of("predict") is not None else None


def _predict(timing: Timing) -> tuple[float, float]:
    """Milliseconds of the shipped package, and the variant's ratio to it."""
    metric = timing.of("predict")
    if metric is None:
        raise AssertionError("not for a timing without predictions")
    ratios = [ratio for group in metric.log_ratios for ratio in group]
    return metric.base_ms, math.exp(statistics.median(ratios))
