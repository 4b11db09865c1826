"""Does a real iPhone agree with the source, and is it fast enough?

The device measures the milliseconds itself, and they are compared only with a limit for that device model:
times of two models, or of a phone and a Mac, are never compared.
"""

import statistics
from collections.abc import Iterator
from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence, skipped
from coreml_gate.config import ModelConfig
from coreml_gate.config.limits import OnDeviceLimits
from coreml_gate.config.rules import OLDEST
from coreml_gate.criteria import (
    Violation,
    also,
    by_output,
    engine_violations,
    gravest_first,
    least_psnr,
    sample_line,
)
from coreml_gate.devices import devices, that_run
from coreml_gate.frozen import changed
from coreml_gate.record import DeviceFacts
from coreml_gate.timing.rounds import percentile_95
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import apart, counted, number, passing_maximum

NAME: Final = "on-device"
NOT_RUN: Final = "not run: `coreml-gate device` measures on a connected iPhone."
_HINT: Final = (
    "compare with `coreml-parity`: if a Mac is right and the phone is not, exclude that compute unit."
)


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding in ms per device and compute unit, and one per limit whose device was not connected."""
    facts = evidence.head.on_device
    if not facts:
        return (skipped(NAME, "devices", NOT_RUN),)
    limits = limits_by_device(evidence.config)
    measured = tuple(_finding(each, limits.get(each.device, OnDeviceLimits()), evidence) for each in facts)
    there = {each.device for each in facts}
    return (*measured, *(_absent(name) for name in limits if name not in there))


def limits_by_device(config: ModelConfig) -> dict[str, OnDeviceLimits]:
    """The limits by device name, with `oldest` resolved; a limit by name takes precedence."""
    named = {name: limits for name, limits in config.limits.on_device.items() if name != OLDEST}
    oldest = oldest_device(config)
    if OLDEST in config.limits.on_device and oldest is not None:
        named.setdefault(oldest, config.limits.on_device[OLDEST])
    return named


def oldest_device(config: ModelConfig) -> str | None:
    """The model's oldest device; the table is in the order of launch."""
    order = list(devices())
    named = [name for name in config.devices if name in order]
    if not named and config.minimum_os is not None:
        named = [device.name for device in that_run(config.minimum_os)]
    return min(named, key=order.index, default=None)


def _finding(facts: DeviceFacts, limits: OnDeviceLimits, evidence: Evidence) -> Finding:
    subject = f"{facts.device} {facts.units}"
    if facts.skipped:
        return skipped(NAME, subject, facts.skipped)
    if facts.ending is not None:
        return _ended(facts, subject)
    facts = changed(
        facts,
        against_source=evidence.floored(facts.against_source),
        against_runtime=evidence.floored(facts.against_runtime),
    )
    raised = gravest_first(_violations(facts, limits, evidence))
    return Finding(
        check=NAME,
        status=raised[0].status if raised else Status.PASS,
        subject=subject,
        message=f"{subject}: {_message(facts, raised)}",
        value=statistics.median(facts.predict_ms) if facts.predict_ms else None,
        limit=limits.max_ms,
        unit="ms",
        hint=_HINT if raised else "",
        details=(*also(raised), *_details(facts)),
    )


def _violations(facts: DeviceFacts, limits: OnDeviceLimits, evidence: Evidence) -> Iterator[Violation | None]:
    precision = evidence.limits.precision
    least = precision.psnr if limits.psnr is None else limits.psnr
    for output, group in by_output(facts.against_source or facts.against_runtime).items():
        for each in engine_violations(group, precision, least):
            yield Violation(f"output `{output}`: {each.message}", each.passes_with, each.status, each.excess)
    yield _too_slow(facts, limits)


def _too_slow(facts: DeviceFacts, limits: OnDeviceLimits) -> Violation | None:
    if limits.max_ms is None or not facts.predict_ms:
        return None
    median = statistics.median(facts.predict_ms)
    if median <= limits.max_ms:
        return None
    taken, allowed = apart(median, limits.max_ms)
    return Violation(
        f"a prediction takes {taken} ms, allowed {allowed} ms",
        passes_with=f"max-ms = {passing_maximum(median, 3)}",
        excess=median / limits.max_ms,
    )


def _message(facts: DeviceFacts, raised: tuple[Violation, ...]) -> str:
    if raised:
        return f"{raised[0].message}.{raised[0].remedy}"
    least = least_psnr(facts.against_source or facts.against_runtime)
    answer = "equal in every sample" if least is None else f"PSNR {least:.1f} dB"
    if not facts.predict_ms:
        return f"{answer}; not timed."
    return f"{answer}; a prediction takes {number(statistics.median(facts.predict_ms))} ms."


def _details(facts: DeviceFacts) -> Iterator[str]:
    yield f"{facts.product}, {facts.system}"
    if facts.load_ms is not None:
        yield f"loaded in {number(facts.load_ms)} ms"
    if facts.predict_ms:
        middle, late = statistics.median(facts.predict_ms), percentile_95(facts.predict_ms)
        count = counted(len(facts.predict_ms), "prediction")
        yield f"{count}: median {number(middle)} ms, 95 % within {number(late)} ms"
    if facts.trace:
        yield f"Instruments trace: {facts.trace}"
    yield from (sample_line(each) for each in facts.against_source)


def _ended(facts: DeviceFacts, subject: str) -> Finding:
    """A failure if the model broke on the device; unsure if the device was not reached."""
    ending = facts.ending
    if ending is None:
        raise AssertionError("not for a run that ended well")
    reached = ending.phase not in ("start", "connect")
    return Finding(
        check=NAME,
        status=Status.FAIL if reached else Status.UNSURE,
        subject=subject,
        message=f"{subject}: {ending.clause('it')}.",
        hint="the details show the last lines of its output." if ending.log_tail else "",
        details=ending.log_tail,
    )


def _absent(name: str) -> Finding:
    return Finding(
        check=NAME,
        status=Status.UNSURE,
        subject=name,
        message=f"`{name}` has a limit but is not among the connected devices.",
        hint="connect one, or remove the limit.",
    )


CHECK: Final = Check(
    NAME,
    "Does a connected iPhone match the source, and is it fast enough?",
    run,
    limit="that of precision; you set the milliseconds",
    why="A connected iPhone returns other results than the source, or is slower than your limit.",
    fix="As for `coreml-parity`; the details show the device's own times.",
    accept="`limits.on-device` sets the greatest milliseconds and the minimum PSNR per device model.",
    page="docs/variants.md",
    needs="iPhone",
    numerical=True,
)
