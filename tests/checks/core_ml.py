"""What Core ML may have answered, as Records hold it."""

from typing import Any

from coreml_gate.record import (
    ChildEnding,
    Comparison,
    ComputeUnits,
    CoreMlFacts,
    CoreMlRun,
    Machine,
    OffEngine,
    Placement,
    TimedMetric,
    Timing,
)
from tests.builders import comparison

SOUND = {"reference": "source", "candidate": "core-ml", "psnr": 55.0, "max_abs_error": 0.01}
GPU: ComputeUnits = "CPU_AND_GPU"


def machine(**overrides: Any) -> Machine:
    """A Mac of one's own."""
    defaults: dict[str, Any] = {
        "chip": "Apple M2",
        "model": "Mac14,2",
        "system": "macOS 15.5 (24F74)",
        "memory_bytes": 16 * 2**30,
        "virtual": False,
        "thermal_state": "nominal",
        "low_power": False,
    }
    return Machine(**(defaults | overrides))


def answer(**overrides: Any) -> tuple[Comparison, ...]:
    """Core ML's answer to one sample: 55 dB."""
    return (comparison(**(SOUND | overrides)),)


def run(units: ComputeUnits = "CPU_ONLY", **overrides: Any) -> CoreMlRun:
    """A run without a fault."""
    defaults: dict[str, Any] = {
        "units": units,
        "against_source": answer(),
        "against_runtime": answer(reference="fp16", psnr=70.0),
        "repeated": answer(reference="core-ml", psnr=None, max_abs_error=0.0),
        "compile_ms": 120.0,
        "load_ms": 40.0,
        "first_predict_ms": 9.0,
        "peak_bytes": None,
    }
    return CoreMlRun(**(defaults | overrides))


def ended(units: ComputeUnits = "CPU_ONLY", **overrides: Any) -> CoreMlRun:
    """A run whose child crashed."""
    defaults: dict[str, Any] = {
        "how": "crashed",
        "phase": "predict",
        "message": "killed by signal 6 (SIGABRT)",
        "log_tail": ("last words",),
    }
    return CoreMlRun(units=units, ending=ChildEnding(**(defaults | overrides)))


def timing(**overrides: Any) -> Timing:
    """Three processes of twenty pairs: the head takes as long as the base, give or take 1 %."""
    defaults: dict[str, Any] = {
        "engine": "core-ml",
        "units": "CPU_ONLY",
        "base_package": "0a",
        "head_package": "0b",
        "seed": 0,
        "alpha": 0.05,
        "stopped": "decided",
        "metrics": (timed(),),
    }
    return Timing(**(defaults | overrides))


def timed(
    metric: Any = "predict", log_ratio: float = 0.0, noise: float = 0.01, **overrides: Any
) -> TimedMetric:
    """Pairs around one ratio, and the self-test around 1."""
    spread = [noise * (number % 5 - 2) / 2 for number in range(20)]
    defaults: dict[str, Any] = {
        "metric": metric,
        "base_ms": 4.0,
        "head_ms": 4.0,
        "log_ratios": tuple(tuple(log_ratio + each for each in spread) for _ in range(3)),
        "self_test": tuple(tuple(spread) for _ in range(3)),
    }
    return TimedMetric(**(defaults | overrides))


def placement(units: ComputeUnits = "ALL", off: int = 0, **overrides: Any) -> Placement:
    """Ten operations, ``off`` of them gathers on the CPU."""
    defaults: dict[str, Any] = {
        "origin": "compute plan",
        "units": units,
        "devices": {"NE": 10 - off, "CPU": off} if off else {"NE": 10},
        "off_engine": tuple(
            OffEngine(operation=f"gather_{number}", operation_type="gather", device="CPU")
            for number in range(off)
        ),
        "segments": 2 * off + 1,
    }
    return Placement(**(defaults | overrides))


def core_ml(*runs: CoreMlRun, **overrides: Any) -> CoreMlFacts:
    """What one Mac answered; nothing timed unless given."""
    defaults: dict[str, Any] = {
        "machine": machine(),
        "runs": runs or (run(),),
        "runtime_against_source": answer(candidate="fp16", psnr=60.0),
        "untimed": "there is no baseline package on this machine to compare with.",
    }
    return CoreMlFacts(**(defaults | overrides))
