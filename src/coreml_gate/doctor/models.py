"""Checks Core ML on small models made here: arrays, a state, one of two functions, a plan, times."""

from collections.abc import Callable, Iterator
from typing import Final

from coreml_gate.children.job import DescribedPackage, MachineJob, PackageJob
from coreml_gate.children.reference_data import reference_beside
from coreml_gate.criteria import least_psnr
from coreml_gate.doctor.answer import OFF_A_MAC, Outcome, Probe, Subject
from coreml_gate.doctor.toolchain import AVAILABLE_FROM, macos_version
from coreml_gate.measurements.core_ml_behaviour import Behaviour
from coreml_gate.measurements.trial_packages import TrialPackages
from coreml_gate.record import ChildEnding, CoreMlRun, Machine, Placement, Timing
from coreml_gate.timing import ALPHA, decide
from coreml_gate.timing.self_test import judge_self_test
from coreml_gate.worker.core_ml import plan_of, predict_on, run_package
from coreml_gate.worker.timing_loop import PackagePair, TimingBudget, time_packages

LEAST_PSNR: Final = 50.0
"""Minimum PSNR; one multiplication in half precision gives more than 60 dB on these samples."""
_MAX_RATIO: Final = 1.05


def examine_models(subject: Subject, machine: Machine, clock: Callable[[], float]) -> Iterator[Probe]:
    """Every probe as soon as it is done: machine, packages, predictions, placement, timing."""
    subject.keep("machine", machine)
    yield of_machine(machine, is_mac=subject.is_mac)
    report = subject.supervisor.run(MachineJob(only=("trial-packages",), folder=subject.folder / "trial"))
    packages = report.events.parts.content(TrialPackages)
    if report.failure is not None or not packages:
        text = "no package was made" if report.failure is None else _ended(report.failure)
        yield Probe("conversion", "not ok", text, "the environment cannot convert: reinstall it.")
        return
    yield Probe("conversion", "ok", f"{', '.join(packages)} were made")
    if not subject.can_predict:
        for what in ("predictions", "compute plan", "timing"):
            yield Probe(what, "unknown", "there is no Core ML here.", OFF_A_MAC)
        return
    for name, package in packages.items():
        yield from _predictions(name, package, subject, machine)
    plain = packages["convolution"]
    yield too_old("compute plan", machine) or _plan(plain, subject)
    timing = _timed(plain, subject, clock)
    subject.keep("timing", timing)
    yield of_timing(timing)


def _predictions(name: str, package: DescribedPackage, subject: Subject, machine: Machine) -> Iterator[Probe]:
    if (refused := too_old(name, machine)) is not None:
        yield refused
        return
    reference, folder = reference_beside(package.path), subject.folder / name
    for run in predict_on(package, reference, subject.units, folder, subject.supervisor):
        subject.keep(f"run-{name}-{run.units}", run)
        yield of_run(name, run, machine)
    if subject.recording is not None:
        _record_behaviour(name, package, subject)


def _record_behaviour(name: str, package: DescribedPackage, subject: Subject) -> None:
    for units in subject.units:
        job = PackageJob(
            only=("core-ml-behaviour",),
            folder=subject.folder / name / f"behaviour-{units}",
            package=package,
            units=units,
            reference=reference_beside(package.path),
            stand_in=subject.supervisor.stand_in,
        )
        report = run_package(job, subject.supervisor)
        facts = report.events.parts.get(Behaviour) or report.failure
        if facts is not None:
            subject.keep(f"behaviour-{name}-{units}", facts)


def too_old(what: str, machine: Machine) -> Probe | None:
    """A probe saying that this macOS is too old for a feature, which is no fault; else ``None``."""
    first = AVAILABLE_FROM.get(what)
    version = macos_version(machine.system.removeprefix("macOS ").partition(" ")[0])
    if first is None or version == (0, 0) or version >= first:
        return None
    return Probe(
        what,
        "unknown",
        f"needs macOS {first[0]}.{first[1]}, this is {machine.system}.",
        "update macOS, or measure models that need it on another Mac.",
    )


def of_machine(machine: Machine, *, is_mac: bool) -> Probe:
    """Which machine this is, and whether its thermal and power state can be read."""
    if not is_mac:
        return Probe("machine", "unknown", "only macOS reports chip, thermal and power state.", OFF_A_MAC)
    known = machine.thermal_state != "unknown" and machine.memory_bytes > 0
    virtual = {True: ", virtual", False: "", None: ", virtual or not: unknown"}[machine.virtual]
    return Probe(
        "machine",
        "ok" if known else "unknown",
        f"{machine.chip}, {machine.model}, {machine.system}, {machine.memory_bytes / 1e9:.1f} GB{virtual}; "
        f"thermal state {machine.thermal_state}, low power {machine.low_power}",
        "" if known else "pairs measured while the machine throttles will not be dropped.",
    )


def of_run(name: str, run: CoreMlRun, machine: Machine) -> Probe:
    """Whether a model with a known output returned it."""
    what = f"{name} on {run.units}"
    if run.ending is not None:
        excused = machine.virtual and run.units != "CPU_ONLY"
        return Probe(
            what,
            "unknown" if excused else "not ok",
            _ended(run.ending, machine.engine),
            "virtual machines have no Neural Engine and a paravirtual GPU: leave these units out."
            if excused
            else "leave these units out (`core-ml-units` in [gate]); the other units go on.",
        )
    least = least_psnr(run.against_source)
    figure = "equal to what is known" if least is None else f"{least:.1f} dB, needed {LEAST_PSNR:g}"
    again = "" if least_psnr(run.repeated) is None else "; two runs differ"
    held = "" if run.peak_bytes is None else f", {run.peak_bytes / 1e6:.1f} MB"
    sound = _is_right(run)
    return Probe(
        what,
        "ok" if sound else "not ok",
        f"{machine.engine}: {figure}; compile {run.compile_ms or 0:.0f} ms, load {run.load_ms or 0:.0f} ms, "
        f"first prediction {run.first_predict_ms or 0:.1f} ms{held}{again}",
        "" if sound else "Core ML computes this wrongly here: do not judge models on these units.",
    )


def _is_right(run: CoreMlRun) -> bool:
    mismatch = sum(each.nonfinite_mismatches for each in run.against_source)
    least = least_psnr(run.against_source)
    return bool(run.against_source) and not mismatch and (least is None or least >= LEAST_PSNR)


def _plan(package: DescribedPackage, subject: Subject) -> Probe:
    if subject.supervisor.stand_in:
        return Probe("compute plan", "unknown", "the stand-in for Core ML has none.", OFF_A_MAC)
    placement = plan_of(package, "ALL", subject.folder / "plan", subject.supervisor)
    subject.keep("placement", placement)
    return of_plan(placement)


def of_plan(placement: Placement) -> Probe:
    """Whether the compute plan can be read, and names hardware and cost."""
    what = "compute plan"
    if placement.ending is not None:
        text = _ended(placement.ending)
        return Probe(what, "not ok", text, "`placement` will be unsure; everything else goes on.")
    unknown = placement.devices.get("unknown", 0)
    counts = ", ".join(f"{count} on {device}" for device, count in placement.devices.items())
    cost = "no costs" if placement.cost is None else "with costs"
    open_ = bool(unknown) or not counts
    return Probe(
        what,
        "unknown" if open_ else "ok",
        f"{counts or 'no operation'}; {cost}",
        "Core ML reports more on a physical Mac, and from macOS 15 on." if open_ else "",
    )


def of_timing(timing: Timing) -> Probe:
    """Whether a package is as fast as itself, and the smallest change that this machine could detect."""
    timed = timing.of("predict")
    if timing.ending is not None or timed is None:
        text = "nothing was timed" if timing.ending is None else _ended(timing.ending)
        return Probe("timing", "not ok", text, "`latency` will be unsure.")
    decision = decide(timed.log_ratios, _MAX_RATIO)
    seen = judge_self_test(timed.self_test)
    outcomes: dict[str, Outcome] = {"not slower": "ok", "unsure": "unknown", "slower": "not ok"}
    wait = "" if decision.call == "not slower" else "other work runs here: wait, or take a quieter machine."
    return Probe(
        "timing",
        outcomes[decision.call],
        f"a package against itself is {decision.call} after {decision.pairs} pairs of {timed.head_ms:.3g} "
        f"ms; this machine sees changes from {100 * seen.smallest_change:.1f} % on",
        wait,
    )


def _timed(package: DescribedPackage, subject: Subject, clock: Callable[[], float]) -> Timing:
    pair = PackagePair(package, package, "itself", "itself", reference_beside(package.path), subject.units[0])
    budget = TimingBudget({"predict": _MAX_RATIO}, ALPHA, subject.time_budget_s)
    return time_packages(pair, budget, subject.folder / "timing", subject.supervisor, clock)


def _ended(ending: ChildEnding, subject: str = "the child process") -> str:
    return " | ".join((ending.clause(subject), *ending.log_tail[-3:]))
