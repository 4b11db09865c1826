"""What is measured, in order: one module per measurement.

Importing the table loads neither torch nor coremltools: each module does so in its ``run``.
"""

from collections.abc import Collection, Mapping
from typing import Final

from coreml_gate.children.events import AnyPart, Vocabulary
from coreml_gate.measurements import (
    allowed_shapes,
    conversion,
    core_ml_behaviour,
    core_ml_cold_load,
    core_ml_plan,
    core_ml_predict,
    core_ml_timing,
    device,
    half_precision,
    litert,
    metrics,
    native_module,
    numbers,
    operation_profile,
    package,
    parity_fault,
    perturbed_samples,
    source,
    trial_packages,
    variants,
)
from coreml_gate.measurements.measurement import Measurement, Opened, PeakBytes, SingleMeasurement
from coreml_gate.record import Problem

MEASUREMENTS: Final[dict[str, Measurement | SingleMeasurement]] = {
    "source": source,
    "conversion": conversion,
    "package": package,
    "numbers": numbers,
    "allowed-shapes": allowed_shapes,
    "perturbed-samples": perturbed_samples,
    "metrics": metrics,
    "parity-fault": parity_fault,
    "half-precision": half_precision,
    "operation-profile": operation_profile,
    "variants": variants,
    "litert": litert,
    "core-ml-predict": core_ml_predict,
    "core-ml-plan": core_ml_plan,
    "core-ml-cold-load": core_ml_cold_load,
    "core-ml-timing": core_ml_timing,
    "core-ml-behaviour": core_ml_behaviour,
    "device": device,
    "native-module": native_module,
    "trial-packages": trial_packages,
}
"""By the name that a job uses. Cheap measurements and those that others need come first."""


def of_models() -> Mapping[str, Measurement]:
    """The measurements that run in the process of the source, in order."""
    return {name: each for name, each in MEASUREMENTS.items() if each.CHILD == "model"}


def vocabulary(variants: Collection[str] = ()) -> Vocabulary:
    """Everything that a child may report, including the variants that it measures."""
    types: list[type[AnyPart]] = [Problem, Opened, PeakBytes]
    types += [part for each in MEASUREMENTS.values() for part in each.PARTS]
    steps = {step for each in MEASUREMENTS.values() for step in each.STEPS}
    return Vocabulary({part.FIELD: part for part in types}, steps, variants)


def measurement_at(step: str) -> Measurement | None:
    """The measurement of a model to which this step belongs; ``None`` before the first one."""
    return next((each for each in of_models().values() if step in each.STEPS), None)
