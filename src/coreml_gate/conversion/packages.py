"""Converts a captured graph to packages: the calls of coremltools."""

from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import coremltools as ct
import torch
from coremltools.converters.mil import Builder

from coreml_gate.conversion.capture import Captured
from coreml_gate.conversion.compress import compress
from coreml_gate.conversion.constants import computed_constants
from coreml_gate.conversion.conversion import ORIGINS, PACKAGE, REFERENCE, Task
from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.conversion.interface import input_types, output_types
from coreml_gate.conversion.keep import Selector
from coreml_gate.conversion.kept_program import KeptProgram
from coreml_gate.conversion.mapping import script_lines
from coreml_gate.conversion.one_copy import converted_once, saved_once
from coreml_gate.conversion.origins import Origin, Places, write_origins
from coreml_gate.conversion.quick import quick_conversion
from coreml_gate.engines.source import Source
from coreml_gate.record import ComputedConstant
from coreml_gate.untyped import CoreMlObject


def save_packages(captured: Captured, task: Task) -> tuple[Path, Path, tuple[ComputedConstant, ...]]:
    """Convert a graph to the float32 twin and the shipped package, which may be the same."""
    options, program = task.config, KeptProgram()
    only = options.precision == "float32" and options.compress is None
    origins: dict[str, Origin] = {}
    passes = pass_pipeline(options.converter.skip_passes)
    with program.kept(passes) if options.precision == "float16" else nullcontext():
        model = to_core_ml(captured, task, ct.precision.FLOAT32, passes)
    computed = computed_constants(model, task.source, _places(captured, task))
    reference = save(model, task.folder / (PACKAGE if only else REFERENCE))
    if options.precision == "float16":
        del model  # before the second program fills the memory
        model, origins = to_half(captured, task, program)
    write_origins(origins, task.folder / ORIGINS)
    if only:
        return reference, reference, computed
    if options.compress is not None:
        model = compress(model, options.compress)
    return reference, save(model, task.folder / PACKAGE), computed


def to_half(
    captured: Captured, task: Task, program: KeptProgram | None = None
) -> tuple[ct.models.MLModel, dict[str, Origin]]:
    """Convert to half precision except for ``keep-fp32``; patterns without a match are errors, so none goes
    stale.

    :param program: The program kept by a float32 conversion of the same graph.
    """
    names = task.config.output or tuple(task.outputs)
    selector = Selector(task.config.keep_fp32, names, _places(captured, task))
    passes = pass_pipeline(task.config.converter.skip_passes)
    with (program or KeptProgram()).resumed(passes):
        model = to_core_ml(captured, task, ct.transform.FP16ComputePrecision(selector), passes)
    selector.refuse_unused()
    return model, selector.origins


def _places(captured: Captured, task: Task) -> Places:
    root = task.source.root
    return Places(root, _root_module(task.source), script_lines(captured.model, root))


def _root_module(source: Source) -> str:
    return type(source.model).__name__ if isinstance(source.model, torch.nn.Module) else ""


def to_core_ml(
    captured: Captured,
    task: Task,
    precision: CoreMlObject,
    passes: ct.PassPipeline | None = None,
    to: Literal["mlprogram", "milinternal"] = "mlprogram",
) -> CoreMlObject:
    """Call ``coremltools.convert`` with the configured options; its errors pass through."""
    config = task.config
    Builder.name_count.clear()  # a failed conversion leaves its counters behind, which would end up in names
    with converted_once(), quick_conversion():
        return ct.convert(
            captured.model,
            convert_to=to,
            inputs=input_types(task.samples, config, captured.program),
            outputs=output_types(config, task.outputs),
            states=list(captured.states),
            minimum_deployment_target=ct.target[config.deployment_target],
            compute_precision=precision,
            compute_units=ct.ComputeUnit[config.compute_units],
            pass_pipeline=pass_pipeline(config.converter.skip_passes) if passes is None else passes,
            skip_model_load=True,
        )


def pass_pipeline(skipped: tuple[str, ...]) -> ct.PassPipeline:
    """The default optimisation passes, without those that the configuration skips."""
    pipeline = ct.PassPipeline()
    unknown = [name for name in skipped if name not in pipeline.passes]
    if unknown:
        raise ConversionFailedError(
            f"`skip-passes` names `{unknown[0]}`, which coremltools {ct.__version__} does not have.",
            "write it as coremltools does: `common::fuse_conv_batchnorm`.",
        )
    pipeline.remove_passes(set(skipped))
    return pipeline


def save(model: ct.models.MLModel, path: Path) -> Path:
    """Write a package and its parent folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with saved_once(model):
        model.save(str(path))
    return path
