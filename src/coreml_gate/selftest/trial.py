"""Measures a model with each fault, and checks that the gate turns red for the right reason."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from coreml_gate.children.job import ModelJob
from coreml_gate.config import Config, GateOptions, ModelConfig
from coreml_gate.errors import GateError, MeasuringError
from coreml_gate.frozen import changed
from coreml_gate.gate.baseline import stored_baseline
from coreml_gate.gate.core_ml import Stored, measure_with_core_ml
from coreml_gate.gate.core_ml_host import CoreMlHost
from coreml_gate.gate.environment import environment_of_this_machine
from coreml_gate.gate.judge import judge
from coreml_gate.record import ModelRecord, Record
from coreml_gate.selftest.faults import FAULTS, CannotInjectError, Fault, Injection
from coreml_gate.verdict import PASS_EXIT_CODE, BaselineFacts, Status, Verdict
from coreml_gate.worker.models import measure_model
from coreml_gate.worker.supervisor import Supervisor

ONLY: Final = ("source", "conversion", "package", "numbers")
"""Measurements in which the faults show; diagnosing each would take minutes."""
_BASELINE: Final = BaselineFacts(origin="the same model without a fault", present=True)
_OFF_A_MAC: Final = "it needs Core ML's times: run the self-test on a Mac."

Outcome = Literal["caught", "not caught", "unknown"]


@dataclass(frozen=True)
class FaultTrial:
    """The result of one fault."""

    fault: str
    outcome: Outcome
    words: str


@dataclass(frozen=True)
class Workbench:
    """The repository, a folder for packages, and what measures them."""

    root: Path
    folder: Path
    options: GateOptions
    supervisor: Supervisor
    host: CoreMlHost | None
    """What times packages; ``None`` without a Mac."""


def trials(model: ModelConfig, bench: Workbench) -> Iterator[FaultTrial]:
    """Measure the model as it is, then with each fault in turn; the last trials need no measurement.

    :raises MeasuringError: The model cannot be measured without a fault.
    """
    shutil.rmtree(bench.folder, ignore_errors=True)
    sound = _measured(model, bench, bench.folder / "sound")
    record = sound.record.models[0]
    facts = sound.package(model.name)
    if record.problem is not None or facts is None:
        raise _unmeasurable(model, record)
    for number, fault in enumerate(FAULTS):
        given = Injection(model, sound.folder / facts.path, bench.folder / f"fault{number}")
        yield _tried(fault, given, sound, bench)
    yield _lost_package(model, sound, bench)
    yield _missing_baseline(bench)


def _unmeasurable(model: ModelConfig, record: ModelRecord) -> MeasuringError:
    problem, conversion = record.problem, record.conversion
    why = problem.message if problem else conversion.message if conversion else "it has no package."
    return MeasuringError(
        f"model `{model.name}` cannot be measured as it is: {why}",
        "fix that, or name another model with `--model`: faults are injected into a model that works.",
        problem.exit_code if problem else MeasuringError.exit_code,
    )


def _tried(fault: Fault, given: Injection, sound: Stored, bench: Workbench) -> FaultTrial:
    if fault.needs_mac and bench.host is None:
        return FaultTrial(fault.name, "unknown", _OFF_A_MAC)
    given.folder.mkdir(parents=True, exist_ok=True)
    try:
        faulty = fault.inject(given)
    except GateError as error:
        words = error.message if isinstance(error, CannotInjectError) else f"not injected: {error.sentence}"
        return FaultTrial(fault.name, "unknown", words)
    config = Config(gate=bench.options, model=(given.model,))
    measured = _measured(faulty, bench, given.folder)
    if fault.needs_mac and bench.host is not None:
        models = {given.model.name: given.model}
        timed = measure_with_core_ml(measured, sound, models, bench.options, bench.host)
        measured = Stored(timed, measured.folder)
    before = judge(config, sound.record, sound.record, _BASELINE)
    after = judge(config, measured.record, sound.record, _BASELINE)
    return _compared(fault, before, after)


def _compared(fault: Fault, before: Verdict, after: Verdict) -> FaultTrial:
    """The result of a fault; a check that also fails without the fault proves nothing."""
    found = [finding for _, finding in after.of_models if finding.check in fault.caught_by]
    already = {finding.check for _, finding in before.of_models if finding.status is Status.FAIL}
    new = [each for each in found if each.status is Status.FAIL and each.check not in already]
    if new and after.exit_code != PASS_EXIT_CODE:
        return FaultTrial(fault.name, "caught", f"{new[0].check}: {new[0].message}")
    if already & {*fault.caught_by}:
        named = ", ".join(sorted(already & {*fault.caught_by}))
        return FaultTrial(fault.name, "unknown", f"{named} fails without the fault too.")
    if fault.needs_mac and any(each.status is Status.UNSURE for each in found):
        return FaultTrial(fault.name, "unknown", "its times are unsure: run the self-test on a quiet Mac.")
    said = "; ".join(f"{each.check}: {each.status.value}, {each.message}" for each in found)
    return FaultTrial(fault.name, "not caught", said or f"no finding of {' or '.join(fault.caught_by)}.")


def _lost_package(model: ModelConfig, sound: Stored, bench: Workbench) -> FaultTrial:
    """A Record without its package and without a problem that explains it."""
    fault = Fault("a Record that lost its package", lambda given: given.model, ("conversion", "source"))
    config = Config(gate=bench.options, model=(model,))
    lost = changed(sound.record.models[0], package=None)
    before = judge(config, sound.record, sound.record, _BASELINE)
    return _compared(fault, before, judge(config, changed(sound.record, models=(lost,)), None, _BASELINE))


def _missing_baseline(bench: Workbench) -> FaultTrial:
    name = "a baseline that is missing"
    try:
        stored_baseline(bench.folder / "no-such-baseline")
    except GateError as error:
        return FaultTrial(name, "caught", f"exit code {error.exit_code}: {error.message}")
    return FaultTrial(name, "not caught", "a run went on without it.")


def _measured(model: ModelConfig, bench: Workbench, folder: Path) -> Stored:
    job = ModelJob(
        only=ONLY,
        root=bench.root,
        record_folder=folder,
        model=model,
        closure="",
        max_samples=bench.options.max_samples,
    )
    record = measure_model(job, bench.supervisor)
    return Stored(
        Record(created="", commit=None, environment=environment_of_this_machine(), models=(record,)), folder
    )
