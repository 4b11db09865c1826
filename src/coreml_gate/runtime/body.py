"""What stands around an operation's body: its arguments as it wants them, its results as they are stored."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from coreml_gate.runtime.arguments import Convert
from coreml_gate.runtime.ops.integers import to_int32
from coreml_gate.runtime.ops.neural_engine import engine_half, engine_product, flushed, without_nan
from coreml_gate.runtime.precision import store
from coreml_gate.runtime.registry import Body, Implementation, Rounding
from coreml_gate.untyped import MilValue


def on_engine(implementation: Implementation) -> Implementation:
    """The implementation as the Neural Engine estimate computes and rounds it, on operands in float32."""
    body = implementation.neural_engine or implementation.body
    if implementation.rounding is not Rounding.ROUND:
        return replace(implementation, body=body)
    products = implementation.products

    def on_operands(*arguments: MilValue) -> MilValue:
        results = body(*(_engine_operand(argument, products=products) for argument in arguments))
        single = isinstance(results, Tensor)
        kept = [_engine_value(result, products=products) for result in ((results,) if single else results)]
        return kept[0] if single else tuple(kept)

    return replace(implementation, body=on_operands, native=False)


def _engine_operand(argument: MilValue, *, products: bool) -> MilValue:
    """The engine reads NaN as infinity, and subnormals as 0 where it does not multiply and add."""
    if isinstance(argument, Tensor) and argument.dtype is torch.float32:
        return without_nan(argument if products else flushed(argument), math.inf)
    return argument


def _engine_value(result: MilValue, *, products: bool) -> MilValue:
    """Where IEEE has NaN the engine gives 0."""
    if not isinstance(result, Tensor) or not result.is_floating_point():
        return result
    value = without_nan(result.float(), 0.0)
    return engine_product(value) if products else engine_half(value)


def cut(body: Body, dtype: torch.dtype) -> Body:
    """The body, whose float result becomes an integer."""
    return lambda *arguments: to_int32(body(*arguments)).to(dtype)


def grouped(body: Body, groups: Sequence[tuple[int, int]]) -> Body:
    """The body, which gets each of these stretches of its arguments as one tuple."""
    last_first = tuple(reversed(groups))
    if not last_first:
        return body

    def call(*arguments: MilValue) -> MilValue:
        flat = list(arguments)
        for start, stop in last_first:
            flat[start:stop] = [tuple(flat[start:stop])]
        return body(*flat)

    return call


def converted(body: Body, converts: Sequence[tuple[int, Convert]]) -> Body:
    """The body, which gets these of its arguments converted."""
    if not converts:
        return body
    if len(converts) == 1 and converts[0][0] == 0:
        first = converts[0][1]
        return lambda x, *rest: body(first(x), *rest)

    def call(*arguments: MilValue) -> MilValue:
        flat = list(arguments)
        for index, convert in converts:
            flat[index] = convert(flat[index])
        return body(*flat)

    return call


def rounded(body: Body, dtypes: tuple[torch.dtype | None, ...]) -> Body:
    """The body, whose results are stored in these types."""
    if len(dtypes) == 1:
        return _rounded_single(body, dtypes[0])

    def call(*arguments: MilValue) -> MilValue:
        results = body(*arguments)
        return tuple(
            store(result, dtype)
            if dtype is not None and isinstance(result, Tensor) and result.dtype is not dtype
            else result
            for result, dtype in zip(results, dtypes, strict=False)
        )

    return call


def _rounded_single(body: Body, dtype: torch.dtype | None) -> Body:
    def call(*arguments: MilValue) -> MilValue:
        result = body(*arguments)
        if type(result) is tuple:
            result = result[0]
        return result if dtype is None or result.dtype is dtype else store(result, dtype)

    return call
