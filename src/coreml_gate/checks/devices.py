"""Does the model fit the devices for which it is meant, and do they load it?

The budget of a device is 60 % of half its RAM, or of an app's measured limit if that is lower: the app itself
needs the rest. Most limits are estimates and are marked as such.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence, skipped
from coreml_gate.devices import SEEN, SEEN_BY_PRODUCTS, Device, devices, least_seconds, that_run
from coreml_gate.record import CostFacts, MemoryFacts, PackageFacts
from coreml_gate.verdict import SEVERITY, Finding, Status
from coreml_gate.wording import MB, aligned, apart, megabytes, number, percent

NAME: Final = "devices"
SUBJECT: Final = "devices"
MODEL_SHARE: Final = 0.6
"""The share of an app's memory that its model may take."""

_TARGET: Final = re.compile(r"iOS(\d+)")
_HINT: Final = (
    "make the model smaller (compression, a smaller input), remove the device from `devices`, or measure "
    "the memory that an app gets there (os_proc_available_memory)."
)

_BOUND: Final = (
    "~: an estimate. at least: all products, or one reading of the weights, at the chip's listed peaks; "
    "a lower bound, not a forecast."
)
_SEEN: Final = (
    f"Published times are {SEEN[0]:g} to {SEEN[1]:g} times the bound, and up to {SEEN_BY_PRODUCTS[1]:g} "
    "times where the chip's bandwidth is not known (docs/cost.md)."
)


@dataclass(frozen=True)
class DeviceFit:
    """How the model fits on one device."""

    device: Device
    status: Status
    used: int
    budget: float
    reason: str
    least_ms: float | None

    @property
    def share(self) -> float:
        """The share of the budget that the model uses."""
        return self.used / self.budget

    @property
    def estimated(self) -> str:
        """A mark for a budget that was not measured."""
        return "~" if self.device.app_is_estimated else ""


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding about the worst device, in per cent of its budget; the details have a line per device."""
    wanted = _wanted(evidence)
    if isinstance(wanted, str):
        return (skipped(NAME, SUBJECT, wanted),)
    memory, package = evidence.head.memory, evidence.head.package
    if memory is None or package is None:
        return (evidence.unmeasured(NAME, SUBJECT),)
    fits = [fit_on(device, memory, package, evidence.head.cost) for device in wanted]
    worst = max(fits, key=lambda fit: (SEVERITY.index(fit.status), fit.share))
    return (
        Finding(
            check=NAME,
            status=worst.status,
            subject=SUBJECT,
            message=_message(worst, fits),
            value=100 * worst.share,
            limit=100.0,
            unit="%",
            hint=_HINT if worst.status is not Status.PASS else "",
            details=(*_table(fits), *_notes(fits, evidence)),
        ),
    )


def _wanted(evidence: Evidence) -> tuple[Device, ...] | str:
    """The devices to look at, or why there are none."""
    config = evidence.config
    if config.devices:
        return tuple(devices()[name] for name in config.devices if name in devices())
    if config.minimum_os is None:
        return "neither `devices` nor `minimum-os` is configured."
    return that_run(config.minimum_os) or f"no known device runs iOS {config.minimum_os}."


def fit_on(device: Device, memory: MemoryFacts, package: PackageFacts, cost: CostFacts | None) -> DeviceFit:
    """Whether a device loads the package, how much of its memory that takes, and the least time."""
    budget = device.app_mb * MODEL_SHARE * MB
    used = memory.total_bytes
    most = used + memory.lasting_overhead_bytes + memory.passing_overhead_bytes
    needed = _TARGET.fullmatch(package.deployment_target)
    status, reason = Status.PASS, ""
    if needed is not None and int(needed[1]) > device.newest_ios:
        status, reason = (
            Status.FAIL,
            f"requires {package.deployment_target}, but the device only runs up to iOS{device.newest_ios}",
        )
    elif used > budget:
        taken, allowed = apart(used, budget, megabytes, megabytes)
        status, reason = Status.FAIL, f"takes {taken}, allowed {allowed}"
    elif most > budget:
        status = Status.WARN
        taken, allowed = apart(most, budget, megabytes, megabytes)
        reason = f"may take {taken} with an engine's own buffers, allowed {allowed}"
    return DeviceFit(device, status, used, budget, reason, _least_ms(device, cost))


def _least_ms(device: Device, cost: CostFacts | None) -> float | None:
    seconds = None if cost is None else least_seconds(device.chip, cost.macs, cost.weights_read)
    return None if seconds is None else 1e3 * seconds


def _message(worst: DeviceFit, fits: Sequence[DeviceFit]) -> str:
    name = worst.device.name
    if worst.status is Status.PASS:
        few = (
            f"it fits on {len(fits)} devices, most tightly on {name}"
            if len(fits) > 1
            else f"it fits on {name}"
        )
        return f"{few}: {megabytes(worst.used)} of {worst.estimated}{megabytes(worst.budget)}."
    hit = sum(fit.status is worst.status for fit in fits)
    rest = f" ({hit} of {len(fits)} devices)" if len(fits) > 1 else ""
    return f"{name}: the model {worst.reason}{rest}."


def _table(fits: Sequence[DeviceFit]) -> list[str]:
    """Aligned columns: device, status, memory of budget, iOS versions, Neural Engine, least time."""
    titles = ("device", "", "memory of budget", "iOS", "Neural Engine", "at least")
    return aligned([titles, *map(_row, fits)])


def _row(fit: DeviceFit) -> tuple[str, ...]:
    chip, device = fit.device.chip, fit.device
    memory = f"{100 * fit.share:.0f} % of {fit.estimated}{fit.budget / MB:.0f} MB"
    engine = ", ".join(
        filter(None, (chip.name, chip.neural_engine, f"{chip.tops:g} TOPS" if chip.tops else ""))
    )
    least = "" if fit.least_ms is None else f"{number(fit.least_ms, 2)} ms"
    return (device.name, fit.status.value, memory, f"{device.oldest_ios}-{device.newest_ios}", engine, least)


def _notes(fits: Sequence[DeviceFit], evidence: Evidence) -> list[str]:
    notes = [_BOUND, _SEEN]
    entitled = [
        fit.device for fit in fits if fit.device.entitled_mb is not None and fit.status is not Status.PASS
    ]
    notes += [
        f"{device.name} gives an app up to {device.entitled_mb:g} MB with the entitlement "
        "com.apple.developer.kernel.increased-memory-limit."
        for device in entitled
    ]
    if evidence.config.precision == "float32":
        notes.append(
            "float32: the Neural Engine computes only in FP16, so the CPU or the GPU runs this model."
        )
    return notes


CHECK: Final = Check(
    NAME,
    "Does the model fit the devices that it must run on?",
    run,
    limit=f"{percent(MODEL_SHARE)} of an app's memory there",
    why="The model does not fit into the memory that an app may use on one of your devices, or does not "
    "load there.",
    fix="As for `memory`; or raise `minimum-os`, or remove the device from `devices`.",
    accept="`devices` and `minimum-os` decide which devices are checked.",
    page="docs/devices.md",
    absolute=True,
)
