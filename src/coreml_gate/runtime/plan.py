"""Runs a compiled function: a flat list of steps with bound arguments, constants and last uses.

``run`` has one register per value; a step reads registers, calls one function and writes registers. Constants
are in registers from the start. A nested block is a plan of its own, with its captured values as extra
inputs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from coreml_gate.errors import PackageError
from coreml_gate.mil.ir import Operation
from coreml_gate.runtime.packed import PackedKernel
from coreml_gate.untyped import MilValue

Observe = Callable[[Operation, Mapping[str, MilValue], tuple[MilValue, ...]], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One prepared operation: ``call`` takes the values of ``reads`` (after the observer if ``nested``)."""

    operation: Operation
    call: Callable[..., MilValue]
    reads: tuple[int, ...]
    names: tuple[str, ...]
    writes: tuple[int, ...]
    frees: tuple[int, ...]
    nested: bool
    shown: bool = True
    """Whether an observer sees it; otherwise an observer sees only the operations of its block."""
    kernel: PackedKernel | None = None
    """The kernel behind ``call``, if it has packed constants and stores float32."""
    unrounded: Callable[..., Tensor] | None = None
    """Returns the single result in float32, if ``call`` rounds it to half precision."""
    widened: tuple[int, ...] = ()
    """The registers of halves that ``call`` widens; it also accepts them in float32."""


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """Steps over registers; ``registers`` holds the constants and ``None`` for what a run computes.

    ``unwatched`` gives the same bits with fewer steps, for runs without an observer.
    """

    registers: list[MilValue]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[Step, ...]
    unwatched: "ExecutionPlan | None" = None

    def run(self, inputs: Sequence[MilValue], observe: Observe | None = None) -> tuple[MilValue, ...]:
        """The outputs for these inputs; each value is freed at its last use.

        :raises PackageError: An operation failed; the message names it.
        """
        if observe is None and self.unwatched is not None:
            return self.unwatched.run(inputs)
        registers = self.registers.copy()
        for slot, value in zip(self.inputs, inputs, strict=True):
            registers[slot] = value
        del inputs
        step = None
        try:
            for step in self.steps:
                result = _call(step, registers, observe)
                if len(step.writes) == 1:
                    registers[step.writes[0]] = result
                else:
                    for slot, value in zip(step.writes, result, strict=True):
                        registers[slot] = value
                if observe is not None and step.shown:
                    _report(step, registers, observe)
                for slot in step.frees:
                    registers[slot] = None
        except Exception as error:
            stopped = _located(step, error)
            if stopped is error:
                raise
            raise stopped from error
        return tuple(registers[slot] for slot in self.outputs)


def _call(step: Step, registers: list[MilValue], observe: Observe | None) -> MilValue:
    arguments = [registers[slot] for slot in step.reads]
    return step.call(observe, *arguments) if step.nested else step.call(*arguments)


def _report(step: Step, registers: list[MilValue], observe: Observe) -> None:
    inputs: dict[str, MilValue] = {}
    for name, slot in zip(step.names, step.reads, strict=True):
        inputs[name] = (*inputs[name], registers[slot]) if name in inputs else (registers[slot],)
    single = {name: values[0] if len(values) == 1 else values for name, values in inputs.items()}
    observe(step.operation, single, tuple(registers[slot] for slot in step.writes))


def _located(step: Step | None, error: Exception) -> PackageError:
    """The error with the name of the program's operation, already there for a block of a hidden step."""
    if step is None:
        return PackageError(f"the program has no operation to run ({error}).")
    if not step.shown and isinstance(error, PackageError):
        return error
    return named(step.operation, error)


def named(operation: Operation, error: Exception) -> PackageError:
    """The error of an operation, with its name and type in front."""
    message = error.message if isinstance(error, PackageError) else f"{type(error).__name__}: {error}"
    hint = error.hint if isinstance(error, PackageError) else ""
    stopped = PackageError(f"operation `{operation.name}` ({operation.type}): {message}", hint)
    stopped.operation = operation.name
    return stopped
