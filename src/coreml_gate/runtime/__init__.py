"""The MIL runtime: runs a Core ML package with torch, on any system, in float32 or with FP16 semantics."""

from coreml_gate.runtime.model import Model, Pipeline, load, load_pipeline
from coreml_gate.runtime.plan import Observe
from coreml_gate.runtime.precision import MODES, Mode

__all__ = ["MODES", "Mode", "Model", "Observe", "Pipeline", "load", "load_pipeline"]
