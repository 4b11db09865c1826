"""Compiles a function of the program to a plan, binding all arguments and choosing all conversions once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import torch
from torch import Tensor

from coreml_gate.errors import PackageError, UnsupportedOperationsError
from coreml_gate.mil.graph import captured, last_uses
from coreml_gate.mil.ir import Argument, Block, Constant, Function, Operation, TensorType, Value, ValueType
from coreml_gate.mil.weights import release
from coreml_gate.runtime.arguments import AT_RUN_TIME, Convert, Known, known_argument
from coreml_gate.runtime.body import converted, cut, grouped, on_engine, rounded
from coreml_gate.runtime.fusion import FUSED, fused_block, fused_steps
from coreml_gate.runtime.ops import find
from coreml_gate.runtime.packed import (
    OPERAND,
    PackedAnew,
    PackedKernel,
    Packer,
    arguments_of,
    let_go,
    stored,
)
from coreml_gate.runtime.plan import ExecutionPlan, Observe, Step, named
from coreml_gate.runtime.precision import Mode, storage, widen
from coreml_gate.runtime.recurrent import UNROLLED, RecurrentLayers
from coreml_gate.runtime.registry import (
    REQUIRED,
    BlockFunction,
    Gates,
    Implementation,
    Parameter,
    Rounding,
    Tensors,
)
from coreml_gate.untyped import MilValue

TORCH_ERRORS: Final = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
"""The errors of torch and numpy for constants that do not fit each other."""


def compile_function(function: Function, mode: Mode, *, keeps: bool = True) -> ExecutionPlan:
    """The plan that computes ``function`` in ``mode``.

    :param keeps: Whether packed or widened weights stay for the next run; otherwise each operation makes them
        again in each run, with the same bits.

    :raises UnsupportedOperationsError: Operations are unknown; all of them are named.
    :raises PackageError: An operation lacks an input, or reads an undefined value.
    """
    _refuse_unknown(function)
    compiler, known = _Compiler(function, mode, keeps=keeps), dict[str, Known]()
    block = compiler.block
    plan, fused = compiler.plan(block, (), known), fused_block(block)
    unwatched = plan if fused is block else compiler.plan(fused, (), known)
    if mode == "neural-engine":
        return replace(plan, unwatched=unwatched)
    return replace(plan, unwatched=fused_steps(unwatched))


def _refuse_unknown(function: Function) -> None:
    types = {operation.type for operation in function.block.walk() if operation.type != "const"}
    unknown = tuple(sorted(item for item in types if find(item, function.opset) is None))
    if unknown:
        raise UnsupportedOperationsError(unknown)


@dataclass(slots=True)
class _Scope:
    """The names visible in a block: constants, the registers of computed values, their types."""

    known: dict[str, Known]
    constants: "_Constants"
    registers: list[MilValue] = field(default_factory=list)
    slots: dict[str, int] = field(default_factory=dict)
    types: dict[str, ValueType] = field(default_factory=dict)
    packs: bool = True
    """Off in a loop, because a layer in its place must add in the order of the program's own products."""

    def reserve(self, value: Value) -> int:
        self.slots[value.name] = self.constant(None)
        self.types[value.name] = value.type
        return self.slots[value.name]

    def constant(self, content: MilValue) -> int:
        self.registers.append(content)
        return len(self.registers) - 1


@dataclass(slots=True)
class _Bound:
    """An operation's arguments as flat lists: registers, parameter names and run-time conversions."""

    reads: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    converts: list[tuple[int, Convert]] = field(default_factory=list)
    groups: list[tuple[int, int]] = field(default_factory=list)
    kernel: PackedKernel | PackedAnew | None = None
    unrounded: Callable[..., Tensor] | None = None

    def add(self, name: str, slot: int, convert: Convert | None = None) -> None:
        if convert is not None:
            self.converts.append((len(self.reads), convert))
        self.reads.append(slot)
        self.names.append(name)


class _Constants:
    """Converts each constant once to the form of a parameter's kind.

    It does not refer to the compiler, because a reference cycle with kernels would keep released weights.
    """

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._tensors: dict[tuple[int, object, bool], MilValue] = {}
        self._seen: dict[int, Known] = {}
        """Keeps constants alive, so that none gets the identity of a freed one folded by a nested block."""

    def known(self, known: Known, kind: object, *, wide: bool) -> MilValue:
        self._seen[id(known)] = known
        if kind not in (Tensor, Gates):
            return known_argument(known, kind, self._mode, wide=wide)
        key = (id(known), kind, wide)
        if key not in self._tensors:
            self._tensors[key] = known_argument(known, kind, self._mode, wide=wide)
        return self._tensors[key]

    def stacked(self, constants: Sequence[Constant]) -> Tensor:
        """Join float32 constants into one tensor, so that the plan reads its parts."""
        parts = [known_argument(constant, Tensor, self._mode, wide=True) for constant in constants]
        stacked = torch.cat(parts)
        for constant, part in zip(
            constants, torch.split(stacked, [len(part) for part in parts]), strict=True
        ):
            self._tensors[(id(constant), Tensor, True)] = part
            release(constant.data)
        return stacked


class _Compiler:
    def __init__(self, function: Function, mode: Mode, *, keeps: bool) -> None:
        self._opset = function.opset
        self._mode = mode
        self._keeps = keeps
        self._constants = _Constants(mode)
        self._layers = RecurrentLayers(function.block, mode, self._constants.stacked)
        self.block = self._layers.block
        self._packer = Packer(mode, partial(self._constants.known, wide=False), keeps=keeps)

    def plan(
        self, block: Block, captures: tuple[Value, ...], known: dict[str, Known], *, packs: bool = True
    ) -> ExecutionPlan:
        """The plan of a block; its constants are added to ``known``."""
        scope = _Scope(known, self._constants, packs=packs)
        slots = tuple(scope.reserve(value) for value in (*block.inputs, *captures))
        steps = []
        for operation, dying in zip(block.operations, last_uses(block), strict=True):
            try:
                step = self._step_or_fold(operation, dying, scope)
            except UnsupportedOperationsError:
                raise
            except PackageError as error:
                raise named(operation, error) from error
            except TORCH_ERRORS as error:
                raise named(operation, _unfit(error)) from error
            steps += [] if step is None else [step]
        outputs = tuple(self._read(name, scope, wide=False) for name in block.outputs)
        return ExecutionPlan(scope.registers, slots, outputs, tuple(steps))

    def _step_or_fold(self, operation: Operation, dying: Iterable[str], scope: _Scope) -> Step | None:
        """The operation's step; ``None`` if its result is constant and now known."""
        if operation.type == "const":
            scope.known[operation.name] = _value_of(operation)
            return None
        if operation.type.startswith("constexpr_") and self._foldable(operation, scope):
            if operation.name not in scope.known:  # otherwise folded before, for the plan of observed runs
                self._fold(operation, scope)
            return None
        frees = tuple(name for name in dying if name not in scope.known)
        return self._step(operation, frees, scope)

    def _foldable(self, operation: Operation, scope: _Scope) -> bool:
        return all(name in scope.known for name in operation.reads())

    def _fold(self, operation: Operation, scope: _Scope) -> None:
        """Compute a constant result; the plan keeps the expanded weight, not its packed form or indices."""
        apart = replace(scope, constants=_Constants(self._mode), registers=[])
        bound, call = self._bind(operation, apart)
        result = call(*(apart.registers[slot] for slot in bound.reads))
        results = (result,) if len(operation.outputs) == 1 else result
        for value, tensor in zip(operation.outputs, results, strict=True):
            scope.known[value.name] = tensor

    def _step(self, operation: Operation, frees: tuple[str, ...], scope: _Scope) -> Step:
        bound, call = self._bind(operation, scope)
        if operation.blocks:
            call = self._with_blocks(operation, bound, call, scope)
        if not self._keeps:
            call = _letting_go(call, stored(operation, scope.known))
        writes = tuple(scope.reserve(value) for value in operation.outputs)
        kernel = bound.kernel if isinstance(bound.kernel, PackedKernel) else None
        kernel = kernel if self._in_float32(operation, scope) else None
        return Step(
            operation=operation,
            call=kernel if kernel is not None and len(writes) == 1 else call,
            reads=tuple(bound.reads),
            names=tuple(bound.names),
            writes=writes,
            frees=tuple(scope.slots[name] for name in frees),
            nested=bool(operation.blocks),
            shown=operation.type != UNROLLED,
            kernel=kernel,
            unrounded=bound.unrounded if self._keeps else None,
            widened=tuple(bound.reads[place] for place, convert in bound.converts if convert is widen),
        )

    def _bind(self, operation: Operation, scope: _Scope) -> tuple[_Bound, Callable[..., MilValue]]:
        dtypes = tuple(_stored(value, self._mode) for value in operation.outputs)
        implementation = self._implementation(operation, dtypes, scope)
        wide = implementation.rounding is Rounding.ROUND and not implementation.native
        bound = _Bound(
            kernel=self._packer.kernel(operation, implementation, scope.known) if scope.packs else None
        )
        if bound.kernel is not None:
            implementation = replace(implementation, body=bound.kernel)
        for parameter in implementation.parameters:
            if parameter.kind != BlockFunction:
                widens = wide and (bound.kernel is None or parameter.name in bound.kernel.operands)
                self._bind_parameter(operation, parameter, bound, scope, wide=widens)
        call = converted(grouped(implementation.body, bound.groups), bound.converts)
        bound.unrounded = call if wide and dtypes == (torch.float16,) else None
        return bound, rounded(call, dtypes)

    def _implementation(
        self, operation: Operation, dtypes: tuple[torch.dtype | None, ...], scope: _Scope
    ) -> Implementation:
        """The operation's implementation, with the body for this mode and for its constant operands."""
        found = find(operation.type, self._opset) or find(operation.type, self._opset, FUSED)
        if found is None:
            raise UnsupportedOperationsError((operation.type,))
        if self._mode == "neural-engine" and torch.float16 in dtypes:
            found = on_engine(found)
        for name, body in found.constant.items():
            argument = next(iter(operation.inputs.get(name, ())), None)
            if isinstance(argument, Constant) or argument in scope.known:
                found = replace(found, body=body)
        if found.cuts and dtypes[0] is not None and not dtypes[0].is_floating_point:
            found = replace(found, body=cut(found.body, dtypes[0]))
        return found

    def _in_float32(self, operation: Operation, scope: _Scope) -> bool:
        """Whether its first operand and its result are stored in float32, without conversion or rounding."""
        names = (*operation.inputs.get(OPERAND, ())[:1], *(value.name for value in operation.outputs[:1]))
        kinds = [scope.types.get(name) for name in names if isinstance(name, str)]
        return all(kind and storage_of(kind, self._mode) is torch.float32 for kind in kinds)

    def _bind_parameter(
        self, operation: Operation, parameter: Parameter, bound: _Bound, scope: _Scope, *, wide: bool
    ) -> None:
        arguments = arguments_of(operation, parameter.name)
        if arguments is None and parameter.default is REQUIRED:
            raise PackageError(f"the input `{parameter.name}` is missing.", "convert the model again.")
        if arguments is None:
            bound.add(parameter.name, scope.constant(parameter.default))
        elif parameter.kind == Tensors:
            start = len(bound.reads)
            for argument in arguments:
                self._bind_argument(argument, parameter.name, Tensor, bound, scope, wide=wide)
            bound.groups.append((start, len(bound.reads)))
        else:
            self._bind_argument(arguments[0], parameter.name, parameter.kind, bound, scope, wide=wide)

    def _bind_argument(
        self,
        argument: Argument,
        name: str,
        kind: object,
        bound: _Bound,
        scope: _Scope,
        *,
        wide: bool,
    ) -> None:
        known = scope.known.get(argument) if isinstance(argument, str) else argument
        if known is not None:
            late = wide and kind is Tensor and not self._keeps
            content = scope.constants.known(known, kind, wide=wide and not late)
            bound.add(name, scope.constant(content), widen if late else None)
            return
        if argument not in scope.slots:
            raise PackageError(f"nothing gives the value `{argument}` that it reads.", "convert again.")
        convert = AT_RUN_TIME.get(kind)
        if convert is None and wide and self._is_half(scope.types[str(argument)]):
            convert = widen
        bound.add(name, scope.slots[str(argument)], convert)

    def _is_half(self, kind: ValueType) -> bool:
        return isinstance(kind, TensorType) and storage_of(kind, self._mode) is torch.float16

    def _read(self, name: str, scope: _Scope, *, wide: bool) -> int:
        if name in scope.known:
            return scope.constant(scope.constants.known(scope.known[name], Tensor, wide=wide))
        if name not in scope.slots:
            raise PackageError(f"nothing gives the output `{name}` of a block.", "convert the model again.")
        return scope.slots[name]

    def _with_blocks(
        self, operation: Operation, bound: _Bound, call: Callable[..., MilValue], scope: _Scope
    ) -> Callable[..., MilValue]:
        names = tuple(sorted(name for name in captured(operation) if name not in scope.known))
        own = len(bound.reads)
        for name in names:
            bound.add(name, self._read(name, scope, wide=False))
        extra = tuple(Value(name, scope.types[name]) for name in names)
        layer = self._layers.call(operation, scope.known)
        plans = tuple(self.plan(block, extra, dict(scope.known), packs=False) for block in operation.blocks)

        def run(observe: Observe | None, *arguments: MilValue) -> MilValue:
            blocks = tuple(_block_function(plan, arguments[own:], observe) for plan in plans)
            return call(*arguments[:own], *blocks)

        return run if layer is None else layer(run, {name: own + n for n, name in enumerate(names)})


def _block_function(
    plan: ExecutionPlan, captures: tuple[MilValue, ...], observe: Observe | None
) -> BlockFunction:
    return lambda *inputs: plan.run((*inputs, *captures), observe)


def _letting_go(call: Callable[..., MilValue], constants: Sequence[Constant]) -> Callable[..., MilValue]:
    """The call, followed by releasing the memory pages of these constants."""

    def run(*arguments: MilValue) -> MilValue:
        result = call(*arguments)
        let_go(constants)
        return result

    return run


def _unfit(error: Exception) -> PackageError:
    message = f"its constants do not fit ({type(error).__name__}: {error})."
    return PackageError(message, "convert the model again.")


def _value_of(constant: Operation) -> Known:
    if "val" not in constant.attributes:
        raise PackageError("it has no value.", "convert the model again.")
    return constant.attributes["val"]


def storage_of(kind: ValueType, mode: Mode) -> torch.dtype | None:
    """The torch dtype of a tensor value in this mode; ``None`` for any value but a tensor of numbers."""
    return storage(kind.dtype, mode) if isinstance(kind, TensorType) and kind.dtype != "string" else None


def _stored(value: Value, mode: Mode) -> torch.dtype | None:
    return storage_of(value.type, mode)
