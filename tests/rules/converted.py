"""Small models, really converted, as the facts that rules look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coremltools as ct
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it

from coreml_gate.config import ModelConfig
from coreml_gate.conversion.graph import graph_of
from coreml_gate.conversion.missing import missing_operations
from coreml_gate.conversion.quiet import quiet
from coreml_gate.mil.package import Package, read_package
from coreml_gate.rules.catalogue import Facts, Index, ProgramPair, Setting
from tests.run_folder import new_folder

Build = Callable[..., Any]
FLOAT = ct.precision.FLOAT32
HALF = ct.precision.FLOAT16


def setting(**overrides: Any) -> Setting:
    """The toolchain for which coremltools 9.0 was made."""
    config = ModelConfig(name="net", source="net.py:Net", **overrides.pop("options", {}))
    versions = {"coremltools": "9.0", "torch": "2.7.1", "numpy": "2.3.5", "python": "3.11.9"}
    return Setting(config, **(versions | overrides))


def saved(model: ct.models.MLModel) -> Package:
    """The model as read back from disk."""
    path = new_folder() / "net.mlpackage"
    model.save(str(path))
    return read_package(path)


def facts(package: Package, wide: Package | None = None, **overrides: Any) -> Facts:
    """What is known of a package, and of its float32 twin if there is one."""
    view = Index(package.function())
    twins = None if wide is None else ProgramPair(view, Index(wide.function()))
    return Facts(setting(), package, view, twins, **overrides)


@dataclass(frozen=True)
class Program:
    """How a MIL program is converted."""

    precision: Any = HALF
    target: Any = ct.target.iOS17
    inputs: Any = None
    outputs: Any = None
    twin: bool = False
    skip: frozenset[str] = frozenset()

    def of(self, build: Build, *specs: Any) -> Facts:
        """The facts of ``build``, whose arguments have the shapes or the specifications given."""
        wanted = [mb.TensorSpec(shape=item) if isinstance(item, tuple) else item for item in specs]
        wide = self._converted(build, wanted, FLOAT) if self.twin else None
        return facts(self._converted(build, wanted, self.precision), wide)

    def _converted(self, build: Build, specs: Sequence[Any], precision: Any) -> Package:
        program = mb.program(input_specs=list(specs), opset_version=self.target)(build)
        pipeline = ct.PassPipeline()
        pipeline.remove_passes(set(self.skip))
        with quiet():
            model = ct.convert(
                program,
                convert_to="mlprogram",
                inputs=self.inputs,
                outputs=self.outputs,
                compute_precision=precision,
                minimum_deployment_target=self.target,
                pass_pipeline=pipeline,
                skip_model_load=True,
            )
        return saved(model)


class _Module(torch.nn.Module):
    def __init__(self, function: Build) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs)


def module_of(function: Build | torch.nn.Module) -> torch.nn.Module:
    return function if isinstance(function, torch.nn.Module) else _Module(function)


def captured(route: str, function: Build | torch.nn.Module, *inputs: torch.Tensor, **known: Any) -> Facts:
    """The graph that the converter is given."""
    model: Any = module_of(function)
    model = model if known.pop("training", False) else model.eval()
    with quiet(), torch.no_grad():
        if route == "export":
            model = torch.export.export(model, inputs, strict=False).run_decompositions()
        else:
            model = torch.jit.trace(model, tuple(value.clone() for value in inputs), check_trace=False)  # type: ignore[no-untyped-call]
        types = [ct.TensorType(name=f"x{i}", shape=value.shape) for i, value in enumerate(inputs)]
        missing = [item.operation for item in missing_operations(model, types)]
    return Facts(setting(), graph=graph_of(model, Path(__file__).parents[2], missing, **known))


def traced(
    function: Build | torch.nn.Module, *inputs: torch.Tensor, types: Any = None, **options: Any
) -> Facts:
    """A torch model converted by tracing."""
    with quiet(), torch.no_grad():
        script = torch.jit.trace(module_of(function).eval(), inputs, check_trace=False)  # type: ignore[no-untyped-call]
        types = types or [ct.TensorType(name=f"x{i}", shape=value.shape) for i, value in enumerate(inputs)]
        model = ct.convert(
            script,
            inputs=types,
            skip_model_load=True,
            **({"minimum_deployment_target": ct.target.iOS17} | options),
        )
    return facts(saved(model))
