"""Does the diagnosis name the operation at fault, and does its repair work? ``python fp16.py``."""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from coreml_gate.config import ModelConfig
from coreml_gate.convert import convert
from coreml_gate.convert.origins import read_origins
from coreml_gate.convert.pipeline import convert_shipped
from coreml_gate.diagnose.diagnosis import Wish, diagnose, suspected
from coreml_gate.diagnose.ranges import Ranges
from coreml_gate.diagnose.repair import Case, Trial
from coreml_gate.diagnose.target import passes
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import load_samples
from coreml_gate.engines.source import load_source
from coreml_gate.mil.package import read_package
from coreml_gate.record import Diagnosis, HalfMode

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Fault:
    title: str
    module: str
    samples: str
    expected: tuple[str, ...]
    """Types of the operation at fault; empty: nothing may bite."""
    mode: HalfMode = "fp16"


FAULTS = (
    Fault("overflow in a sum", "SumOverflow", "planes", ("reduce_sum",)),
    Fault("softmax mask", "MaskedSoftmax", "scores_and_masks", ("mul", "add")),
    Fault("RMSNorm squares", "LargeActivations", "large", ("pow",)),
    Fault("vanished epsilon", "SmallEpsilon", "rows", ("add", "mul")),
    Fault("softplus cliff", "NaiveSoftplus", "rows", ("exp",)),
    Fault("accumulation drift", "LongSum", "long_rows", ("linear",), "fp16-strict"),
    Fault("(benign) constant mask", "ConstantMask", "squares", ()),
    Fault("(benign) default epsilons", "DefaultEpsilons", "rows", ()),
    Fault("(benign) stable softplus", "StableSoftplus", "rows", ()),
    Fault("(benign) random ResNet", "RandomResNet", "images", ()),
)


@dataclass(frozen=True)
class Outcome:
    fault: Fault
    diagnosis: Diagnosis
    seconds: float

    @property
    def ok(self) -> bool:
        biting = [hazard for hazard in self.diagnosis.hazards if hazard.bites_in is not None]
        if not self.fault.expected:
            return not biting and self.diagnosis.repair is None
        repair = self.diagnosis.repair
        found = bool(biting) and biting[0].operation_type in self.fault.expected
        return found and repair is not None and repair.outcome == "found"


def examine(fault: Fault, folder: Path) -> Outcome:
    config = ModelConfig(
        name="model", source=f"faults.py:{fault.module}", samples=f"faults.py:{fault.samples}", output=("y",)
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
    case = Case(twin, shipped, origins, inputs, config.limits.precision, fault.mode)
    ranges = Ranges()
    for given in inputs:
        ranges.observe_inputs(given)
        wide.model.predict(given, observe=ranges.observe)

    def again(patterns: tuple[str, ...]) -> Path:
        kept = config.model_copy(update={"keep_fp32": patterns})
        route = conversion.facts.route
        return convert_shipped(source, samples, kept, folder / "repaired", route)[0]  # type: ignore[arg-type]

    failed = not passes(Trial(case).compared(frozenset()), case.limits)
    if not failed and not suspected(case, ranges.of) and not fault.expected:
        return Outcome(fault, Diagnosis(), time.perf_counter() - started)
    diagnosis = diagnose(case, ranges.of, Wish(fault.mode if failed else None, again))
    return Outcome(fault, diagnosis, time.perf_counter() - started)


def _decibels(psnr: float | None) -> str:
    return "exact" if psnr is None else f"{psnr:.1f} dB"


def line(outcome: Outcome) -> str:
    biting = [hazard for hazard in outcome.diagnosis.hazards if hazard.bites_in is not None]
    first = biting[0] if biting else None
    found = f"{first.kind}: {first.operation} ({first.operation_type}) {first.place}" if first else "nothing"
    repair = outcome.diagnosis.repair
    fixed = (
        f"keep-fp32 = {list(repair.patterns)}, {_decibels(repair.psnr_before)} -> {_decibels(repair.psnr)}, "
        f"{repair.kept} of {repair.half_operations} operations, {repair.casts_added:+d} casts, "
        f"{repair.bytes_added:+d} bytes, {repair.runs} runs, {repair.conversions} conversion(s)"
        if repair is not None and repair.outcome == "found"
        else ("no repair needed" if repair is None else repair.outcome)
    )
    mark = "ok  " if outcome.ok else "MISS"
    rewrites = "; ".join(rewrite.title for rewrite in outcome.diagnosis.rewrites)
    return f"{mark} {outcome.fault.title}: {found} | {fixed} | {outcome.seconds:.1f} s" + (
        f" | rewrite: {rewrites}" if rewrites else ""
    )


def main() -> int:
    outcomes = []
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            outcomes.append(examine(fault, Path(folder)))
        print(line(outcomes[-1]), flush=True)
    return 0 if all(outcome.ok for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
