"""Does Core ML answer rightly on models made here: arrays, a state, one of two functions, a plan, times?"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from coreml_gate.criteria import least_psnr
from coreml_gate.doctor.answer import OFF_A_MAC, Answer, Outcome, Patient
from coreml_gate.doctor.toolchain import run_module
from coreml_gate.record import CoreMlRun, Machine, Placement, Timing
from coreml_gate.timing import ALPHA, decide
from coreml_gate.timing.self_test import judge_self_test
from coreml_gate.worker.core_ml import plan_of, predict_on
from coreml_gate.worker.core_ml_job import PackageAsked
from coreml_gate.worker.time_packages import Effort, Match, time_packages

PACKAGES: Final = ("convolution", "state", "functions")
LEAST_PSNR: Final = 50.0
"""One multiplication in half precision gives more than 60 dB on these samples."""
TIMING_BUDGET_S: Final = 60.0
_MAX_RATIO: Final = 1.05


def examine_models(patient: Patient, machine: Machine, clock: Callable[[], float]) -> Iterator[Answer]:
    """Every answer as soon as it is known: machine, packages, predictions, placement, timing."""
    yield of_machine(machine, is_mac=patient.is_mac)
    ending, lines = run_module("coreml_gate.worker.doctor_packages", (str(patient.folder),), patient)
    if ending.how != "finished" or not all((patient.folder / f"{name}.json").exists() for name in PACKAGES):
        text = " | ".join((f"the child process {ending.how} ({ending.detail})", *lines))
        yield Answer("conversion", "not ok", text, "the environment cannot convert: install it anew.")
        return
    yield Answer("conversion", "ok", f"{', '.join(PACKAGES)} were made")
    if not patient.answers:
        for what in ("predictions", "compute plan", "timing"):
            yield Answer(what, "cannot tell", "there is no Core ML here.", OFF_A_MAC)
        return
    for name in PACKAGES:
        expected = patient.folder / f"{name}.npz"
        asked = _asked(patient.folder, name)
        for run in predict_on(asked, expected, patient.units, patient.folder / name, patient.around):
            yield of_run(name, run, machine)
    yield _plan(patient)
    yield of_timing(_timed(patient, clock))


def of_machine(machine: Machine, *, is_mac: bool) -> Answer:
    """What this machine is, and whether its thermal and power state can be read."""
    if not is_mac:
        return Answer("machine", "cannot tell", "only macOS tells chip, thermal and power state.", OFF_A_MAC)
    known = machine.thermal_state != "unknown" and machine.memory_bytes > 0
    virtual = {True: ", virtual", False: "", None: ", virtual or not: unknown"}[machine.virtual]
    return Answer(
        "machine",
        "ok" if known else "cannot tell",
        f"{machine.chip}, {machine.model}, {machine.system}, {machine.memory_bytes / 1e9:.1f} GB{virtual}; "
        f"thermal state {machine.thermal_state}, low power {machine.low_power}",
        "" if known else "pairs measured while the machine throttles will not be dropped.",
    )


def of_run(name: str, run: CoreMlRun, machine: Machine) -> Answer:
    """Did a model whose answer is known give it?"""
    what = f"{name} on {run.units}"
    if run.ending is not None:
        excused = machine.virtual and run.units != "CPU_ONLY"
        ending = f"{run.ending.how} in phase {run.ending.phase}: {run.ending.message}"
        return Answer(
            what,
            "cannot tell" if excused else "not ok",
            " | ".join((f"{machine.engine} {ending}", *run.ending.log_tail[-3:])),
            "virtual machines have no Neural Engine and a paravirtual GPU: leave these units out."
            if excused
            else "leave these units out (`core-ml-units` in [gate]); the other units go on.",
        )
    least = least_psnr(run.against_source)
    figure = "equal to what is known" if least is None else f"{least:.1f} dB, needed {LEAST_PSNR:g}"
    again = "" if least_psnr(run.repeated) is None else "; two runs differ"
    held = "" if run.peak_bytes is None else f", {run.peak_bytes / 1e6:.1f} MB"
    sound = _is_right(run)
    return Answer(
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


def _plan(patient: Patient) -> Answer:
    if patient.around.stand_in:
        return Answer("compute plan", "cannot tell", "what stands in for Core ML has none.", OFF_A_MAC)
    asked = _asked(patient.folder, "convolution")
    return of_plan(plan_of(asked, "ALL", patient.folder / "plan", patient.around))


def of_plan(placement: Placement) -> Answer:
    """Can the compute plan be read, and does it name hardware and cost?"""
    what = "compute plan"
    if placement.ending is not None:
        ending = placement.ending
        text = f"{ending.how} in phase {ending.phase}: {ending.message}"
        return Answer(what, "not ok", text, "`placement` will be unsure; everything else goes on.")
    unknown = placement.devices.get("unknown", 0)
    counts = ", ".join(f"{count} on {device}" for device, count in placement.devices.items())
    cost = "no costs" if placement.cost is None else "with costs"
    open_ = bool(unknown) or not counts
    return Answer(
        what,
        "cannot tell" if open_ else "ok",
        f"{counts or 'no operation'}; {cost}",
        "Core ML tells more on a Mac that is not virtual, and from macOS 15 on." if open_ else "",
    )


def of_timing(timing: Timing) -> Answer:
    """Is a package as fast as itself, and from which change on would this machine see one?"""
    timed = timing.of("predict")
    if timing.ending is not None or timed is None:
        ending = "nothing was timed" if timing.ending is None else timing.ending.message
        return Answer("timing", "not ok", ending, "`latency` will be unsure.")
    decision = decide(timed.log_ratios, _MAX_RATIO)
    seen = judge_self_test(timed.self_test)
    outcomes: dict[str, Outcome] = {"not slower": "ok", "unsure": "cannot tell", "slower": "not ok"}
    wait = "" if decision.call == "not slower" else "other work runs here: wait, or take a quieter machine."
    return Answer(
        "timing",
        outcomes[decision.call],
        f"a package against itself is {decision.call} after {decision.pairs} pairs of {timed.head_ms:.3g} "
        f"ms; this machine sees changes from {100 * seen.smallest_change:.1f} % on",
        wait,
    )


def _timed(patient: Patient, clock: Callable[[], float]) -> Timing:
    asked, expected = _asked(patient.folder, "convolution"), patient.folder / "convolution.npz"
    match = Match(asked, asked, "itself", "itself", expected, patient.units[0])
    effort = Effort({"predict": _MAX_RATIO}, ALPHA, TIMING_BUDGET_S)
    return time_packages(match, effort, patient.folder / "timing", patient.around, clock)


def _asked(folder: Path, name: str) -> PackageAsked:
    return PackageAsked.model_validate_json((folder / f"{name}.json").read_text(encoding="utf-8"))
