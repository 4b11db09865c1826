"""Wraps an operation's body: converts its arguments, and rounds its results to their stored types."""

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
    """The implementation with formulas and rounding of the Neural Engine estimate, on float32 operands."""
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
    """The operand as the engine reads it: NaN as infinity, subnormals as 0 outside sums of products."""
    if isinstance(argument, Tensor) and argument.dtype is torch.float32:
        return without_nan(argument if products else flushed(argument), math.inf)
    return argument


def _engine_value(result: MilValue, *, products: bool) -> MilValue:
    """The result as the engine returns it: 0 instead of IEEE's NaN."""
    if not isinstance(result, Tensor) or not result.is_floating_point():
        return result
    value = without_nan(result.float(), 0.0)
    return engine_product(value) if products else engine_half(value)


def cut(body: Body, dtype: torch.dtype) -> Body:
    """The body, with its float result cast to an integer."""
    return lambda *arguments: to_int32(body(*arguments)).to(dtype)


def grouped(body: Body, groups: Sequence[tuple[int, int]]) -> Body:
    """The body, with each of these ranges of arguments passed as one tuple."""
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
    """The body, with these arguments converted."""
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
    """The body, with its results stored in these types."""
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
