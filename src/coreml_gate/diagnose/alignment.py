"""Pairs the operations of a package with the torch operations that they come from, by key and by value."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import torch

from coreml_gate.diagnose.tensor_sketch import TensorSketch, distance, same_elements, sketch, tensors_in
from coreml_gate.diagnose.torch_steps import TorchRun, TorchStep
from coreml_gate.errors import PackageError
from coreml_gate.mil.graph import captured
from coreml_gate.mil.index import producers_in
from coreml_gate.mil.ir import Function, Operation, TensorType
from coreml_gate.record import AlignmentState
from coreml_gate.runtime.model import Model
from coreml_gate.untyped import MilValue

_NUMBERS: Final = frozenset({"fp16", "fp32", "int32", "int16", "uint16", "int8", "uint8", "bool"})


@dataclass(frozen=True)
class Pair:
    """One operation of the package and its torch operation; states are never merged.

    ``error`` is the distance from the torch result as a share of its greatest value, ``inherited`` that of
    the worst value that the operation reads.
    """

    operation: Operation
    state: AlignmentState
    step: TorchStep | None
    error: float
    inherited: float


@dataclass(frozen=True)
class Alignment:
    """All operations of the outermost block in order, with the results of both models."""

    function: Function
    run: TorchRun
    pairs: Mapping[str, Pair]
    sketches: Mapping[str, tuple[TensorSketch, ...]]
    """Sketches of every value of the package (computed, stored or input), by name."""
    limit: float

    @cached_property
    def producers(self) -> dict[str, Pair]:
        """The pair that computes each value."""
        return {value.name: pair for pair in self.pairs.values() for value in pair.operation.outputs}

    @cached_property
    def counts(self) -> dict[AlignmentState, int]:
        """The number of operations in each state, without constants."""
        return dict(Counter(pair.state for pair in self.pairs.values() if pair.operation.type != "const"))

    @cached_property
    def keys(self) -> frozenset[str]:
        """Keys of the torch operations that have a value of the package to compare with."""
        compared = (
            pair for pair in self.pairs.values() if pair.state in {"matched", "differs", "shape changed"}
        )
        return frozenset(pair.step.key for pair in compared if pair.step is not None)

    @property
    def failing_outputs(self) -> tuple[str, ...]:
        """The package's outputs that exceed the limit."""
        names = self.function.block.outputs
        return tuple(
            name
            for name, reference in zip(names, self.run.outputs, strict=False)
            if distance(reference, self.sketches[name][0]) > self.limit
        )

    def holds(self, reference: TensorSketch) -> bool:
        """Whether any value of the package agrees with this one."""
        found = (item for items in self.sketches.values() for item in items)
        return any(distance(reference, item) <= self.limit for item in found)


def align(
    model: Model, inputs: Mapping[str, MilValue], keys: Mapping[str, str], run: TorchRun, limit: float
) -> Alignment:
    """Run the package once on one sample, and pair it with a finished run of its source.

    :raises PackageError: The package does not run.
    """
    observer = _SketchObserver(_names(model.function))
    model.predict(inputs, model.make_state(), observer.observe)
    sketches: dict[str, tuple[TensorSketch, ...]] = {
        name: (sketch(torch.as_tensor(array)),) for name, array in inputs.items()
    }
    sketches |= dict(_constants(model.function)) | observer.sketches
    missing = [name for name in model.function.block.outputs if name not in sketches]
    if missing:
        raise PackageError(f"output `{missing[0]}` is not the result of an operation.")
    return _Aligner(model.function, keys, run, limit, sketches).alignment()


def _names(function: Function) -> frozenset[str]:
    return frozenset(operation.name for operation in function.block.operations)


def _constants(function: Function) -> Iterator[tuple[str, tuple[TensorSketch, ...]]]:
    for operation in function.block.operations:
        constant = operation.attributes.get("val") if operation.type == "const" else None
        if constant is not None and isinstance(constant.type, TensorType) and constant.type.dtype in _NUMBERS:
            yield operation.name, (sketch(torch.from_numpy(np.array(constant.array))),)


@dataclass
class _SketchObserver:
    names: frozenset[str]
    sketches: dict[str, tuple[TensorSketch, ...]] = field(default_factory=dict)

    def observe(self, operation: Operation, _: Mapping[str, MilValue], outputs: tuple[MilValue, ...]) -> None:
        if operation.name not in self.names:
            return
        for value, output in zip(operation.outputs, outputs, strict=True):
            found = tensors_in(output)
            if found:
                self.sketches[value.name] = tuple(sketch(tensor) for tensor in found)


class _Aligner:
    def __init__(
        self,
        function: Function,
        keys: Mapping[str, str],
        run: TorchRun,
        limit: float,
        sketches: Mapping[str, tuple[TensorSketch, ...]],
    ) -> None:
        self._function, self._keys, self._run = function, keys, run
        self._limit, self._sketches = limit, sketches
        self._errors: dict[str, float] = {}
        self._leaving = self._values_that_leave()
        operations = function.block.operations
        self._computed = {
            keys[item.name] for item in operations if item.type != "const" and item.name in keys
        }

    def alignment(self) -> Alignment:
        pairs: dict[str, Pair] = {}
        for operation in self._function.block.operations:
            pair = self._pair(operation)
            if pair is not None:
                pairs[operation.name] = pair
                self._errors |= {value.name: pair.error for value in operation.outputs}
        return Alignment(self._function, self._run, pairs, self._sketches, self._limit)

    def _values_that_leave(self) -> frozenset[str]:
        """Values read under another key, or outputs; torch has these values as well."""
        makers = producers_in(self._function.block.operations)
        leaving = set(self._function.block.outputs)
        for operation in self._function.block.operations:
            for name in (*operation.reads(), *captured(operation)):
                maker = makers.get(name)
                if maker is not None and self._keys.get(maker.name) != self._keys.get(operation.name):
                    leaving.add(name)
        return frozenset(leaving)

    def _pair(self, operation: Operation) -> Pair | None:
        inherited = max((self._errors.get(name, 0.0) for name in operation.reads()), default=0.0)
        key = self._keys.get(operation.name)
        step = self._run.steps.get(key) if key is not None else None
        if operation.type == "const":
            return self._constant_pair(operation, step) if key not in self._computed else None
        found = [self._sketches[value.name] for value in operation.outputs if value.name in self._sketches]
        leaves = any(value.name in self._leaving for value in operation.outputs)
        if step is None:
            return self._by_value(operation, found, inherited)
        if not leaves or not found:
            return Pair(operation, "no counterpart", step, inherited, inherited)
        return self._compared(operation, step, found, inherited)

    def _compared(
        self, operation: Operation, step: TorchStep, found: list[tuple[TensorSketch, ...]], inherited: float
    ) -> Pair:
        errors = [
            min(distance(reference, item) for reference in step.sketches for item in items)
            for value, items in zip(operation.outputs, found, strict=False)
            if value.name in self._leaving
        ]
        error = max(errors, default=inherited)
        if error <= self._limit:
            return Pair(operation, "matched", step, error, inherited)
        reference, candidate = step.sketches[0], found[0][0]
        if reference.shape != candidate.shape and self._is_reshaped(operation, step, found[0][0]):
            return Pair(operation, "shape changed", step, inherited, inherited)
        return Pair(operation, "differs", step, error, inherited)

    def _is_reshaped(self, operation: Operation, step: TorchStep, candidate: TensorSketch) -> bool:
        """Whether it has the same elements in another shape, which is harmless except for an output."""
        given_out = any(value.name in self._function.block.outputs for value in operation.outputs)
        return not given_out and any(same_elements(reference, candidate) for reference in step.sketches)

    def _constant_pair(self, operation: Operation, step: TorchStep | None) -> Pair | None:
        """The pair of a constant that the converter computed from a torch operation."""
        items = self._sketches.get(operation.name)
        if step is None or items is None or operation.name not in self._leaving:
            return None
        error = min(distance(reference, items[0]) for reference in step.sketches)
        if math.isinf(error) and all(reference.shape != items[0].shape for reference in step.sketches):
            return None
        state: AlignmentState = "matched" if error <= self._limit else "differs"
        return Pair(operation, state, step, error, 0.0)

    def _by_value(
        self, operation: Operation, found: list[tuple[TensorSketch, ...]], inherited: float
    ) -> Pair:
        """The pair of an operation without a key, by its values alone."""
        candidate = found[0][0] if found else None
        steps = (
            []
            if candidate is None
            else [step for step in self._run.steps.values() if self._is(step, candidate)]
        )
        if len(steps) == 1:
            return Pair(operation, "matched", steps[0], 0.0, inherited)
        return Pair(operation, "ambiguous" if steps else "no counterpart", None, inherited, inherited)

    def _is(self, step: TorchStep, candidate: TensorSketch) -> bool:
        return any(distance(reference, candidate) <= self._limit for reference in step.sketches)
