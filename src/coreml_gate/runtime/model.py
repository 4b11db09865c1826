"""The entry point: ``load`` a package or a pipeline, and ``predict`` like coremltools' ``MLModel``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coreml_gate.errors import InputError, PackageError
from coreml_gate.mil.graph import Peak, peak
from coreml_gate.mil.ir import Feature, Function, Interface, Operation, Shape, StateType, TensorType, Value
from coreml_gate.mil.package import Package, read_package, read_stages
from coreml_gate.runtime.arguments import from_numpy
from coreml_gate.runtime.boundary import read_inputs, write_outputs
from coreml_gate.runtime.compile import TORCH_ERRORS, compile_function, storage_of
from coreml_gate.runtime.ops.states import State
from coreml_gate.runtime.plan import ExecutionPlan, Observe
from coreml_gate.runtime.precision import Mode, check_mode, enter, storage
from coreml_gate.untyped import MilValue
from coreml_gate.wording import way_to_another_function

States = Mapping[str, NDArray[np.generic]]


def load(package: Path | str | Package, function: str | None = None, mode: Mode = "fp16") -> "Model":
    """Read and compile one function of a package, by default its default one.

    :param mode: ``fp32`` widens everything; ``fp16`` keeps the package's element types and rounds each
        result once; ``neural-engine`` estimates the results of the Neural Engine.
    :raises PackageError: The package is damaged, or has no such function.
    :raises UnsupportedOperationsError: It uses operations that this runtime does not support; all are named.
    :raises UsageError: There is no such mode.
    """
    check_mode(mode)
    read = package if isinstance(package, Package) else read_package(Path(package))
    chosen = read.choosing(function)
    return Model(chosen, chosen.function(), chosen.interface, mode)


class Model:
    """A compiled function; ``predict`` may be called from several threads."""

    def __init__(
        self, package: Package, function: Function, interface: Interface, mode: Mode, *, keeps: bool = True
    ) -> None:
        """:param keeps: As for ``compile_function``."""
        self.package = package
        self.function = function
        self.interface = interface
        self.mode = mode
        self._keeps = keeps
        _check_interface(function, interface)
        self._plan: ExecutionPlan | None = self._compiled()
        self._checked = False

    def make_state(self) -> dict[str, NDArray[np.generic]]:
        """Zeroed states by name, which ``predict`` updates; half precision, or float32 in ``fp32`` mode."""
        return {
            feature.name: np.zeros(feature.shape, self._state_dtype(feature))
            for feature in self.interface.states
        }

    def predict(
        self, inputs: Mapping[str, MilValue], state: States | None = None, observe: Observe | None = None
    ) -> dict[str, MilValue]:
        """Outputs by name like those of ``MLModel.predict``: half precision as float32, scalars as ``(1,)``.

        :param state: From ``make_state``; its arrays are updated in place when the run is complete.
        :param observe: Called after each operation with it, its inputs by parameter and its outputs.
        :raises InputError: An input or a state does not fit the interface.
        :raises PackageError: An operation failed or returned an undeclared shape; the message names it.
        """
        tensors = self._tensors(inputs)
        states = {feature.name: self._state(feature, state) for feature in self.interface.states}
        with torch.inference_mode():
            arguments = [self._argument(value, tensors, states) for value in self.function.inputs]
            values = self._run(arguments, observe)
            if state is not None:
                for name, cell in states.items():
                    np.copyto(state[name], cell.value.numpy(), casting="same_kind")
            return write_outputs(self.interface, dict(zip(self.function.block.outputs, values, strict=True)))

    def shapes(
        self, inputs: Mapping[str, MilValue], state: States | None = None
    ) -> dict[str, tuple[int, ...]]:
        """The shape of every value in one run, the largest if a loop gives several."""
        seen: dict[str, tuple[int, ...]] = {
            name: tuple(value.shape) for name, value in self._tensors(inputs).items()
        }

        def observe(operation: Operation, _: Mapping[str, MilValue], outputs: tuple[MilValue, ...]) -> None:
            carried = (block.inputs for block in operation.blocks)  # a loop's carried values are results
            for values in (operation.outputs, *carried):
                for value, output in zip(values, outputs, strict=False):
                    shape = _shape(output)
                    if math.prod(shape) >= math.prod(seen.get(value.name, (0,))):
                        seen[value.name] = shape

        self.predict(inputs, state, observe)
        return seen

    def peak(self, inputs: Mapping[str, MilValue], state: States | None = None) -> Peak:
        """Peak of live activation bytes for these inputs, in the package's own element types."""
        return peak(self.function, self.shapes(inputs, state))

    def release(self) -> None:
        """Free the compiled plan, whose packed weights are float32; the next run compiles again."""
        self._plan = None

    def _tensors(self, inputs: Mapping[str, MilValue]) -> dict[str, Tensor]:
        """The inputs as tensors; those that do not fit may be meant for another function of the package."""
        try:
            return read_inputs(self.interface, inputs)
        except InputError as error:
            way = way_to_another_function(self.package.default_function, self.package.other_functions)
            raise InputError(error.message, way or error.hint) from None

    def _run(self, arguments: list[MilValue], observe: Observe | None) -> tuple[MilValue, ...]:
        plan = self._plan or self._compiled()
        self._plan = plan
        if self._checked or observe is not None:
            return plan.run(arguments, observe)
        values = plan.run(arguments, check_shapes)
        self._checked = True
        return values

    def _compiled(self) -> ExecutionPlan:
        """The plan; torch's errors about incompatible constants are errors of the package.

        Pages of weights that were read to find bounds are released; packing reads them again.
        """
        try:
            plan = compile_function(self.function, self.mode, keeps=self._keeps)
        except TORCH_ERRORS as error:  # the error of an operation already names it
            what = f"constants that do not fit ({type(error).__name__}: {error})"
            message = f"function `{self.function.name}` has {what}."
            raise PackageError(message, "convert the model again.") from error
        self.package.weights.release()
        return plan

    def _argument(
        self, value: Value, tensors: Mapping[str, Tensor], states: Mapping[str, State]
    ) -> Tensor | State:
        if isinstance(value.type, StateType):
            return states[value.name]
        dtype = storage_of(value.type, self.mode)
        given = tensors[value.name] if dtype is None else tensors[value.name].to(dtype)
        return enter(given, self.mode)

    def _state_dtype(self, feature: Feature) -> np.dtype[MilValue]:
        half = feature.dtype == "fp16" and self.mode != "fp32"
        return np.dtype(np.float16 if half else np.float32)

    def _state(self, feature: Feature, states: States | None) -> State:
        if states is None or feature.name not in states:
            raise InputError(f"state `{feature.name}` is missing.", "give predict what make_state() gave.")
        array = states[feature.name]
        if array.shape != feature.shape:
            raise InputError(f"state `{feature.name}`: its shape is {array.shape}, wanted {feature.shape}.")
        return State(enter(from_numpy(array).to(storage(feature.dtype, self.mode), copy=True), self.mode))


def _shape(value: MilValue) -> tuple[int, ...]:
    if isinstance(value, Tensor):
        return tuple(value.shape)
    return (len(value),) if isinstance(value, list) else ()


def _check_interface(function: Function, interface: Interface) -> None:
    """Check that program and interface have the same inputs, states and outputs, with the same shapes.

    :raises PackageError: They differ; no memory has been allocated for them yet.
    """
    described = {feature.name: feature for feature in (*interface.inputs, *interface.states)}
    missing = [f"input `{value.name}`" for value in function.inputs if value.name not in described]
    given = set(function.block.outputs)
    missing += [f"output `{item.name}`" for item in interface.outputs if item.name not in given]
    missing += [
        f"the shape of `{value.name}` ({described[value.name].shape} and {value.type})"
        for value in function.inputs
        if value.name in described and not _same_shape(described[value.name], value)
    ]
    if missing:
        raise PackageError(
            f"function `{function.name}`: the interface and the program disagree on {', '.join(missing)}.",
            "convert the model again.",
        )


def _same_shape(feature: Feature, value: Value) -> bool:
    kind = value.type.wrapped if isinstance(value.type, StateType) else value.type
    if not isinstance(kind, TensorType) or not kind.ranked or not feature.shape:
        return True
    declared = kind.shape[-len(feature.shape) :] if feature.kind == "image" else kind.shape
    return fits(feature.shape, declared)


def check_shapes(operation: Operation, _: Mapping[str, MilValue], outputs: tuple[MilValue, ...]) -> None:
    """Check that each output has its declared shape; only in a model's first run.

    :raises PackageError: An output has another shape.
    """
    for value, output in zip(operation.outputs, outputs, strict=True):
        if not isinstance(value.type, TensorType) or not value.type.ranked or not isinstance(output, Tensor):
            continue
        shape = tuple(output.shape)
        if not fits(shape, value.type.shape):
            raise PackageError(f"gives the shape {shape}, but the program declares {value.type}.")


def fits(shape: tuple[int, ...], declared: Shape) -> bool:
    """Whether a shape fits its declaration, which may have flexible dimensions."""
    return len(shape) == len(declared) and all(
        wanted is None or size == wanted for size, wanted in zip(shape, declared, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The compiled models of a package in the order in which they run; one for a single ML Program."""

    stages: tuple[Model, ...]

    def make_state(self) -> dict[str, NDArray[np.generic]]:
        """Zeroed states of all stages by name."""
        return {name: array for stage in self.stages for name, array in stage.make_state().items()}

    def predict(self, inputs: Mapping[str, MilValue], state: States | None = None) -> dict[str, MilValue]:
        """The last output of each name, like ``MLModel.predict``.

        :raises InputError: As ``Model.predict``, for the first stage whose input or state does not fit.
        :raises PackageError: As ``Model.predict``.
        """
        known = dict(inputs)
        outputs: dict[str, MilValue] = {}
        for stage in self.stages:
            wanted = {feature.name for feature in stage.interface.inputs}
            outputs |= stage.predict({name: known[name] for name in known if name in wanted}, state)
            known |= outputs
        return outputs


def load_pipeline(path: Path, function: str | None = None, mode: Mode = "fp16") -> Pipeline:
    """Read and compile every ML Program of a package.

    :raises PackageError: The package is damaged, compiled by Core ML, or has models other than ML Programs.
    """
    return Pipeline(tuple(load(package, function, mode) for package in read_stages(path)))
