"""Small valid Records and Verdicts: every builder takes what a test is about and fills in the rest.

Use: ``from tests.builders import model_record``.
"""

from typing import Any

from coreml_gate.config import ModelConfig
from coreml_gate.record import (
    Comparison,
    ConversionFacts,
    CoreMlFacts,
    CostFacts,
    ElementIndex,
    Environment,
    FeatureFacts,
    LiveValue,
    Machine,
    MemoryFacts,
    ModelRecord,
    ModuleCost,
    PackageFacts,
    Record,
    SourceFacts,
    TimedMetric,
    Timing,
    TopOne,
)
from coreml_gate.verdict import BaselineFacts, Finding, ModelVerdict, Status, Verdict

MB = 10**6


def environment(**overrides: Any) -> Environment:
    """One toolchain."""
    defaults: dict[str, Any] = {
        "coreml_gate": "0.1.0",
        "coremltools": "9.0",
        "torch": "2.13.0",
        "numpy": "2.3.5",
        "python": "3.11.9",
        "platform": "Linux-x86_64",
    }
    return Environment(**(defaults | overrides))


def comparison(**overrides: Any) -> Comparison:
    """Parity of ``logits`` in sample 0: sound, 8e-7 off at most where the greatest value is 4."""
    defaults: dict[str, Any] = {
        "output": "logits",
        "sample": 0,
        "reference": "source",
        "candidate": "fp32",
        "reference_shape": (1, 10),
        "candidate_shape": (1, 10),
        "elements": 10,
        "max_reference": 4.0,
        "max_abs_error": 8e-7,
        "max_abs_place": ElementIndex(index=(0, 7), reference=4.0, candidate=4.0000008),
        "max_rel_error": 1e-6,
        "max_rel_place": ElementIndex(index=(0, 2), reference=0.1, candidate=0.1000001),
        "psnr": 140.0,
        "cosine": 1.0,
        "top1": TopOne(rows=1, disagreements=0, least_gap=0.4),
    }
    return Comparison(**(defaults | overrides))


def precision_comparison(**overrides: Any) -> Comparison:
    """Precision of ``logits`` in sample 0: 55 dB."""
    defaults: dict[str, Any] = {
        "reference": "fp32",
        "candidate": "fp16",
        "max_abs_error": 0.01,
        "max_abs_place": ElementIndex(index=(0, 7), reference=4.0, candidate=4.01),
        "psnr": 55.0,
        "cosine": 0.99999,
    }
    return comparison(**(defaults | overrides))


def feature(**overrides: Any) -> FeatureFacts:
    """A float32 image batch as an array."""
    defaults: dict[str, Any] = {
        "name": "image",
        "kind": "array",
        "dtype": "float32",
        "shape": (1, 3, 32, 32),
    }
    return FeatureFacts(**(defaults | overrides))


def package(**overrides: Any) -> PackageFacts:
    """A package of 20 MB with one input and one output."""
    defaults: dict[str, Any] = {
        "path": "packages/digits.mlpackage",
        "fingerprint": "5f3a",
        "total_bytes": 20 * MB,
        "weight_bytes": 19 * MB,
        "program_bytes": MB,
        "deployment_target": "iOS17",
        "inputs": (feature(),),
        "outputs": (feature(name="logits", shape=(1, 10)),),
        "operations": {"conv": 2, "relu": 2, "linear": 1},
    }
    return PackageFacts(**(defaults | overrides))


def memory(**overrides: Any) -> MemoryFacts:
    """Weights of 19 MB, activations of 6 MB at their peak."""
    defaults: dict[str, Any] = {
        "weight_bytes": 19 * MB,
        "activation_bytes": 6 * MB,
        "peak_operation": "conv_1",
        "live": (LiveValue(name="conv_1_out", bytes=4 * MB), LiveValue(name="image", bytes=2 * MB)),
    }
    return MemoryFacts(**(defaults | overrides))


def cost(**overrides: Any) -> CostFacts:
    """50 million multiply-accumulates, nearly all of them in ``layers_1``; 30 MB moved."""
    defaults: dict[str, Any] = {
        "macs": 50 * MB,
        "elementwise": MB,
        "bytes": 30 * MB,
        "operations": 5,
        "modules": (
            ModuleCost(name="layers_1", macs=49 * MB, bytes=20 * MB, operations=3),
            ModuleCost(name="", macs=MB, bytes=10 * MB, operations=2),
        ),
    }
    return CostFacts(**(defaults | overrides))


def conversion(**overrides: Any) -> ConversionFacts:
    """A conversion that went well."""
    defaults: dict[str, Any] = {"status": "converted", "route": "export", "seconds": 3.2}
    return ConversionFacts(**(defaults | overrides))


def source(**overrides: Any) -> SourceFacts:
    """A trained module with four samples of its own."""
    defaults: dict[str, Any] = {
        "kind": "module",
        "parameters": 4_750_000,
        "samples": 4,
        "random_samples": False,
    }
    return SourceFacts(**(defaults | overrides))


def model_record(**overrides: Any) -> ModelRecord:
    """Model ``digits``, measured in full, four samples, nothing to complain of."""
    defaults: dict[str, Any] = {
        "name": "digits",
        "source": source(),
        "conversion": conversion(),
        "package": package(),
        "memory": memory(),
        "cost": cost(),
        "parity": tuple(comparison(sample=sample) for sample in range(4)),
        "precision": tuple(precision_comparison(sample=sample) for sample in range(4)),
        "rules": (),
    }
    return ModelRecord(**(defaults | overrides))


def record(*models: ModelRecord, **overrides: Any) -> Record:
    """A Record of the given models, or of one sound model."""
    defaults: dict[str, Any] = {
        "created": "2025-01-02T03:04:05Z",
        "commit": "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
        "environment": environment(),
        "models": models or (model_record(),),
    }
    return Record(**(defaults | overrides))


def model_config(**overrides: Any) -> ModelConfig:
    """Model ``digits`` with every default."""
    defaults: dict[str, Any] = {"name": "digits", "source": "models/digits.py:build"}
    return ModelConfig(**(defaults | overrides))


def finding(**overrides: Any) -> Finding:
    """A passing answer of ``parity``."""
    defaults: dict[str, Any] = {
        "check": "parity",
        "status": Status.PASS,
        "subject": "logits",
        "message": "output `logits`: greatest difference 8e-7 at (0, 7) of sample 0, allowed 0.0004.",
        "value": 2e-7,
        "limit": 1e-4,
        "unit": "of max",
    }
    return Finding(**(defaults | overrides))


def model_verdict(*findings: Finding, **overrides: Any) -> ModelVerdict:
    """Model ``digits`` with the given findings, or with one that passes."""
    defaults: dict[str, Any] = {
        "name": "digits",
        "findings": findings or (finding(),),
    }
    return ModelVerdict(**(defaults | overrides))


def verdict(*models: ModelVerdict, **overrides: Any) -> Verdict:
    """A Verdict over the given models, or over one that passes, against a rebuilt base commit."""
    defaults: dict[str, Any] = {
        "commit": "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
        "dirty": False,
        "engine": "mil",
        "baseline": BaselineFacts(origin="rebuilt in this run", commit="0f9e8d7", present=True),
        "models": models or (model_verdict(),),
    }
    return Verdict(**(defaults | overrides))


def timed(*ratios: tuple[float, ...]) -> CoreMlFacts:
    """Core ML's times of pairs with these logarithms, a tuple for each fresh start."""
    metric = TimedMetric(metric="predict", base_ms=2.0, head_ms=2.1, log_ratios=ratios)
    timing = Timing(
        engine="core-ml",
        units="ALL",
        base_package="a",
        head_package="b",
        seed=0,
        alpha=0.05,
        stopped="decided",
        metrics=(metric,),
    )
    machine = Machine(chip="M1", model="Mac", system="macOS 15.5", memory_bytes=8 * 10**9)
    return CoreMlFacts(machine=machine, timing=timing)
