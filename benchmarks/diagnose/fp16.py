"""Does the diagnosis name the operation that half precision breaks, and does its repair work?"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from converter import text_at

from coreml_gate.config import ModelConfig
from coreml_gate.conversion import convert
from coreml_gate.conversion.origins import read_origins
from coreml_gate.conversion.shipped import convert_shipped
from coreml_gate.criteria import keeps_precision
from coreml_gate.diagnose.diagnosis import RepairRequest, diagnose, is_needed
from coreml_gate.diagnose.ranges import Ranges
from coreml_gate.diagnose.repair import HalfPrecisionCase, Trial
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import load_samples
from coreml_gate.engines.source import load_source
from coreml_gate.frozen import changed
from coreml_gate.mil.package import read_package
from coreml_gate.record import Diagnosis, HalfMode, Hazard

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Fault:
    title: str
    module: str
    samples: str
    expected: str
    """Type of the operation at fault; empty: nothing may bite."""
    marker: str = ""
    """What stands in the line of ``faults.py`` that has to be named."""
    mode: HalfMode = "fp16"


FAULTS = (
    Fault("overflow in a sum", "SumOverflow", "planes", "reduce_sum", ".sum((2, 3))"),
    Fault("softmax mask", "MaskedSoftmax", "scores_and_masks", "add", "* -1e9"),
    Fault("RMSNorm squares", "LargeActivations", "large", "pow", "x.pow(2)"),
    Fault("vanished epsilon", "SmallEpsilon", "tiny", "add", "+ 1e-8"),
    Fault("softplus cliff", "NaiveSoftplus", "rows", "exp", "torch.exp(x)"),
    Fault("accumulation drift", "LongSum", "long_rows", "reduce_sum", ".sum(-1", "neural-engine"),
    Fault("benign: constant mask", "ConstantMask", "squares", ""),
    Fault("benign: default epsilons", "DefaultEpsilons", "rows", ""),
    Fault("benign: stable softplus", "StableSoftplus", "rows", ""),
    Fault("benign: ResNet-50, random weights", "resnet.py:ResNet50", "resnet.py:images", ""),
)


@dataclass(frozen=True)
class Outcome:
    fault: Fault
    diagnosis: Diagnosis
    seconds: float

    @property
    def first(self) -> Hazard | None:
        """What is named first."""
        return next((hazard for hazard in self.diagnosis.hazards if hazard.bites_in is not None), None)

    @property
    def is_found(self) -> bool:
        """The expected operation at the expected line, and the package converted again passes."""
        repair, first = self.diagnosis.repair, self.first
        if first is None or not self.fault.expected:
            return first is None and repair is None and not self.fault.expected
        named = first.operation_type == self.fault.expected
        named &= self.fault.marker in text_at(first.place, HERE)
        return named and repair is not None and repair.outcome == "found"


def examine(fault: Fault, folder: Path) -> Outcome:
    config = ModelConfig(
        name="model", source=_in_faults(fault.module), samples=_in_faults(fault.samples), output=("y",)
    )
    source = load_source(config.source, HERE)
    samples = load_samples(config, source, HERE, 8)
    conversion = convert(source, samples, config, folder)
    if conversion.reference is None or conversion.package is None:
        raise SystemExit(f"{fault.title}: {conversion.facts.message}")
    started = time.perf_counter()
    twin, shipped = read_package(conversion.reference), read_package(conversion.package)
    wide = load_mil_engine(twin, "fp32", ("y",), config)
    inputs = [wide.inputs(sample) for sample in samples.samples]
    origins = read_origins(conversion.origins)
    case = HalfPrecisionCase(twin, shipped, origins, inputs, config.limits.precision)
    ranges = Ranges()
    for given in inputs:
        ranges.observe_inputs(given)
        wide.model.predict(given, observe=ranges.observe)

    def again(patterns: tuple[str, ...]) -> Path:
        kept = changed(config, keep_fp32=patterns)
        route = conversion.facts.route
        return convert_shipped(source, samples, kept, folder / "repaired", route)[0]  # type: ignore[arg-type]

    failed = not keeps_precision(Trial(case).compared(frozenset()), case.limits)
    if not is_needed(case, ranges.of, failed=failed):
        return Outcome(fault, Diagnosis(), time.perf_counter() - started)
    judged = replace(case, mode=fault.mode)
    failed = not keeps_precision(Trial(judged).compared(frozenset()), case.limits)
    diagnosis = diagnose(case, ranges.of, RepairRequest(fault.mode if failed else None, again))
    return Outcome(fault, diagnosis, time.perf_counter() - started)


def _in_faults(name: str) -> str:
    return name if ":" in name else f"faults.py:{name}"
