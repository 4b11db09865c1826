"""Bugs with integers: dropped element types, and numbers beyond float32's exact integers."""

import math
from typing import Final

from coreml_gate.diagnose.known_bugs.bug import ALL, KnownBug
from coreml_gate.diagnose.torch_calls import TorchArguments
from coreml_gate.floats import SINGLE_INTEGERS


def _integers(call: TorchArguments) -> bool:
    """Whether the elements are integers."""
    operand = call.operand()
    return operand is not None and operand.integral


def _fractions(call: TorchArguments) -> bool:
    """Whether there are elements between zero and one."""
    operand = call.operand()
    return operand is not None and not operand.integral and operand.smallest < 1


def _beyond_mantissa(call: TorchArguments) -> bool:
    """Whether integers exceed float32's exact integers."""
    operands = list(call.operands())
    whole = bool(operands) and all(operand.integral for operand in operands)
    return whole and any(operand.magnitude >= SINGLE_INTEGERS for operand in operands)


def _product_beyond_mantissa(call: TorchArguments) -> bool:
    """Whether a product of integers may exceed float32's exact integers."""
    operands = list(call.operands())
    factor = call.constant("other", 1)
    factors = [*(operand.magnitude for operand in operands), abs(factor)]
    whole = bool(operands) and all(operand.integral for operand in operands) and isinstance(factor, int)
    return whole and math.prod(factors) >= SINGLE_INTEGERS


def _fraction_into_integers(call: TorchArguments) -> bool:
    """Whether a number with a fraction is written into integers."""
    value = call.constant("fill_value", call.constant("value"))
    operand = call.operand()
    whole = call.asks_for_integers() or (operand is not None and operand.integral)
    return whole and isinstance(value, float) and not value.is_integer()


def _fractions_into_integers(call: TorchArguments) -> bool:
    """Whether fractions must be truncated to integers first."""
    operand = call.operand()
    return call.asks_for_integers() and operand is not None and not operand.integral


def _fractional_range(call: TorchArguments) -> bool:
    """Whether a range of integers has an end or a step with a fraction."""
    ends = (call.constant(name) for name in ("start", "end", "step"))
    return call.asks_for_integers() and any(isinstance(end, float) and not end.is_integer() for end in ends)


INTEGERS: Final = (
    KnownBug(
        id="any-of-fractions",
        torch_operations=("any", "all"),
        routes=ALL,
        when=_fractions,
        what="numbers are first cast to integers, so fractions count as zero",
        workaround="torch.any(x != 0)",
        example="return torch.any(x * 0.1).float()",
    ),
    KnownBug(
        id="mean-of-integers",
        torch_operations=("mean",),
        routes=ALL,
        when=_integers,
        what="`dtype` of mean is dropped: the mean of integers stays an integer",
        workaround="x.float().mean(-1)",
        example="return torch.mean((x * 10).int(), -1, dtype=torch.float32)",
    ),
    KnownBug(
        id="dtype-of-filled",
        torch_operations=("full_like", "new_full", "fill"),
        routes=ALL,
        when=_fraction_into_integers,
        what="an integer tensor that is filled with a fraction keeps the fraction",
        workaround="fill with a whole number, or cast first",
        example="return torch.full_like(x, 2.7, dtype=torch.int32) * x",
    ),
    KnownBug(
        id="dtype-of-sum",
        torch_operations=("sum", "cumprod", "prod"),
        routes=ALL,
        when=_fractions_into_integers,
        what="`dtype` is dropped: fractions are not cut before they are summed or multiplied",
        workaround="x.int().sum(-1)",
        example="return torch.sum(x * 2, -1, dtype=torch.int32)",
    ),
    KnownBug(
        id="dtype-of-range",
        torch_operations=("arange", "linspace"),
        routes=ALL,
        when=_fractional_range,
        what="an integer `dtype` of a range with fractions is dropped",
        workaround="torch.arange(0, 4)",
        example="return torch.arange(0.5, 4, dtype=torch.int32) * x",
        issue="apple/coremltools#1852",
    ),
    KnownBug(
        id="integer-division",
        torch_operations=("floor_divide", "div"),
        routes=ALL,
        when=_beyond_mantissa,
        what="integers are divided as float32, which is off by one beyond 2^24",
        workaround="subtract the remainder first, or keep integers below 2^24",
        example='return torch.div((x * 10).int() + 2**24 + 1, 2, rounding_mode="floor")',
        issue="apple/coremltools#2570",
    ),
    KnownBug(
        id="integer-product",
        torch_operations=("mul",),
        routes=ALL,
        when=_product_beyond_mantissa,
        what="Core ML multiplies integers as float32, which is off by some beyond 2^24",
        workaround="keep the product below 2^24, or multiply high and low parts apart",
        example="return ((x * 10).int() + 2**24 + 1) * 3",
        issue="rustnn/rustnn#183",
    ),
    KnownBug(
        id="integer-magnitude",
        torch_operations=(
            "abs",
            "remainder",
            "where",
            "clamp",
            "clamp_min",
            "clamp_max",
            "minimum",
            "maximum",
        ),
        routes=ALL,
        when=_beyond_mantissa,
        what="Core ML takes these integers through float32, which is off by some beyond 2^24",
        workaround="keep integers below 2^24, or take high and low parts apart",
        example="return ((x * 10).int() + 2**24 + 1).abs()",
        issue="rustnn/rustnn#183",
    ),
)


UNMEASURED: Final = (
    KnownBug(
        id="random-integers",
        torch_operations=("randint",),
        routes=ALL,
        what="random integers can reach their upper bound",
        workaround="torch.randint(0, n, size).clamp(max=n - 1)",
        example="return torch.randint(0, 2, (4,)) * x",
        issue="apple/coremltools#2568",
    ),
)
"""Bugs that others saw on a device; the program itself is as documented, so only the rules find them."""
