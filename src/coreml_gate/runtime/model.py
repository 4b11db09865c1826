"""The way in: ``load`` a package or a pipeline, ``predict`` as coremltools' ``MLModel`` does."""

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

States = Mapping[str, NDArray[np.generic]]


def load(package: Path | str | Package, function: str | None = None, mode: Mode = "fp16") -> "Model":
    """Read and compile one function of a package (the default one without a name).

    :param mode: ``fp32`` widens everything; ``fp16`` keeps the package's element types and rounds each
        result once; ``neural-engine`` estimates what the Neural Engine makes of them.
    :raises PackageError: The package is damaged, or has no such function.
    :raises UnsupportedOperationsError: It uses operations that this runtime does not know; all are named.
    :raises UsageError: There is no such mode.
    """
    check_mode(mode)
    read = package if isinstance(package, Package) else read_package(Path(package))
    name = read.default_function if function is None else function
    return Model(read, read.function(name), read.interfaces[name], mode)


class Model:
    """A compiled function; ``predict`` may be called from several threads."""

    def __init__(
        self, package: Package, function: Function, interface: Interface, mode: Mode, *, keeps: bool = True
    ) -> None:
        """:param keeps: As ``compile_function`` takes it."""
        self.package = package
        self.function = function
        self.interface = interface
        self.mode = mode
        self._keeps = keeps
        _check_interface(function, interface)
        self._plan: ExecutionPlan | None = self._compiled()
        self._checked = False

    def make_state(self) -> dict[str, NDArray[np.generic]]:
        """Zeroed states by name for ``predict`` to update; half precision, in ``fp32`` mode float32."""
        return {
            feature.name: np.zeros(feature.shape, self._state_dtype(feature))
            for feature in self.interface.states
        }

    def predict(
        self, inputs: Mapping[str, MilValue], state: States | None = None, observe: Observe | None = None
    ) -> dict[str, MilValue]:
        """Outputs by name as ``MLModel.predict`` gives them: half precision as float32, scalars as ``(1,)``.

        :param state: What ``make_state`` gave; its arrays are updated in place when the run is complete.
        :param observe: Called after each operation with the operation, its inputs by parameter and its
            outputs.
        :raises InputError: An input or a state does not fit the interface.
        :raises PackageError: An operation failed or gave another shape than declared; the message names it.
        """
        tensors = read_inputs(self.interface, inputs)
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
        """The shape of every value in one run, the largest where a loop gives several."""
        seen: dict[str, tuple[int, ...]] = {
            name: tuple(value.shape) for name, value in read_inputs(self.interface, inputs).items()
        }

        def observe(operation: Operation, _: Mapping[str, MilValue], outputs: tuple[MilValue, ...]) -> None:
            carried = (block.inputs for block in operation.blocks)  # what a loop carries, it gives in the end
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
        """Let go of the compiled plan, whose packed weights are float32; the next run compiles again."""
        self._plan = None

    def _run(self, arguments: list[MilValue], observe: Observe | None) -> tuple[MilValue, ...]:
        plan = self._plan or self._compiled()
        self._plan = plan
        if self._checked or observe is not None:
            return plan.run(arguments, observe)
        values = plan.run(arguments, check_shapes)
        self._checked = True
        return values

    def _compiled(self) -> ExecutionPlan:
        """The plan; what torch says of constants that do not fit each other is an error of the package.

        Pages of weights that were read to look for bounds go: a plan reads them again when it packs them.
        """
        try:
            plan = compile_function(self.function, self.mode, keeps=self._keeps)
        except TORCH_ERRORS as error:  # those of operations name them already
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
    """Do program and interface speak of the same inputs, states and outputs, in the same shapes?

    :raises PackageError: They do not; nothing has been allocated yet of what either claims.
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
    """Does each output have the shape that the program declares? Checked in a model's first run only.

    :raises PackageError: It does not.
    """
    for value, output in zip(operation.outputs, outputs, strict=True):
        if not isinstance(value.type, TensorType) or not value.type.ranked or not isinstance(output, Tensor):
            continue
        shape = tuple(output.shape)
        if not fits(shape, value.type.shape):
            raise PackageError(f"gives the shape {shape}, but the program declares {value.type}.")


def fits(shape: tuple[int, ...], declared: Shape) -> bool:
    """Is it a shape that the declaration, which may leave dimensions open, allows?"""
    return len(shape) == len(declared) and all(
        wanted is None or size == wanted for size, wanted in zip(shape, declared, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The compiled models of a package in the order in which they run; one alone for a lone ML Program."""

    stages: tuple[Model, ...]

    def make_state(self) -> dict[str, NDArray[np.generic]]:
        """Zeroed states of all stages by name."""
        return {name: array for stage in self.stages for name, array in stage.make_state().items()}

    def predict(self, inputs: Mapping[str, MilValue], state: States | None = None) -> dict[str, MilValue]:
        """The last output of each name, as ``MLModel.predict`` gives it.

        :raises InputError: As ``Model.predict``, for the first stage that an input or a state does not fit.
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

    :raises PackageError: The package is damaged, compiled by Core ML, or holds other than ML Programs.
    """
    return Pipeline(tuple(load(package, function, mode) for package in read_stages(path)))
