"""When does a known bug of the converter apply? Each is a question on what the operation was really given."""

import math
from typing import Final

from coreml_gate.diagnose.torch_calls import Fits, TorchArguments

_EXPONENT_ENDS: Final = 80.0
"""exp(-88) is the last normal float32; the converter's formulas part from torch's shortly before."""
_MANTISSA: Final = 2**24
_THRESHOLD: Final = 20.0


def integers(call: TorchArguments) -> bool:
    """Are the elements integers?"""
    operand = call.operand()
    return operand is not None and operand.integral


def fractions(call: TorchArguments) -> bool:
    """Are there elements between zero and one?"""
    operand = call.operand()
    return operand is not None and not operand.integral and operand.smallest < 1


def zero_seen(call: TorchArguments) -> bool:
    """Was an element exactly zero?"""
    operand = call.operand()
    return operand is not None and operand.zero


def infinity_seen(call: TorchArguments) -> bool:
    """Was an element of the value itself infinite?"""
    operand = call.operand("self") or call.operand("input") or call.operand()
    return operand is not None and operand.infinite


def infinite_divisor(call: TorchArguments) -> bool:
    """Was a divisor infinite?"""
    divisor = call.operand("other")
    return divisor.infinite if divisor is not None else math.isinf(float(call.constant("other", 0)))


def smaller_than(bound: float) -> Fits:
    """Was an element, other than zero, below this magnitude?"""

    def fits(call: TorchArguments) -> bool:
        operand = call.operand()
        return operand is not None and operand.smallest < bound

    return fits


def beyond_exponents(call: TorchArguments) -> bool:
    """Do the elements lie so far apart, or so high, that their exponentials leave float32?"""
    operand = call.operand()
    return operand is not None and max(operand.greatest - operand.least, operand.greatest) > _EXPONENT_ENDS


def beyond_mantissa(call: TorchArguments) -> bool:
    """Are integers greater than float32 can count?"""
    operands = list(call.operands())
    whole = bool(operands) and all(operand.integral for operand in operands)
    return whole and any(operand.magnitude >= _MANTISSA for operand in operands)


def product_beyond_mantissa(call: TorchArguments) -> bool:
    """May a product of integers be greater than float32 can count?"""
    operands = list(call.operands())
    factor = call.constant("other", 1)
    factors = [*(operand.magnitude for operand in operands), abs(factor)]
    whole = bool(operands) and all(operand.integral for operand in operands) and isinstance(factor, int)
    return whole and math.prod(factors) >= _MANTISSA


def constant(name: str, *values: object, default: object = None) -> Fits:
    """Has an argument one of these values?"""
    return lambda call: call.constant(name, default) in values


def other_than(name: str, *values: object) -> Fits:
    """Was an argument given, with another value than these?"""
    return lambda call: call.constant(name, values[0]) not in values


def negative(name: str) -> Fits:
    """Is an argument negative?"""

    def fits(call: TorchArguments) -> bool:
        operand, value = call.operand(name), call.constant(name, 0)
        return operand.least < 0 if operand is not None else isinstance(value, int | float) and value < 0

    return fits


def infinite(name: str) -> Fits:
    """Is an argument infinite?"""
    return lambda call: isinstance(call.constant(name), float) and math.isinf(call.constant(name))


def without_dimension(call: TorchArguments) -> bool:
    """Is it taken over all elements?"""
    return call.constant("dim") in {None, ()}


def correction_above_one(call: TorchArguments) -> bool:
    """Is the correction of a variance greater than one?"""
    correction = call.constant("correction", 1)
    return isinstance(correction, int | float) and correction > 1


def above_threshold(call: TorchArguments) -> bool:
    """Does a softplus with a small threshold reach it?"""
    operand, threshold = call.operand(), call.constant("threshold", _THRESHOLD)
    return (
        operand is not None
        and threshold < _THRESHOLD
        and operand.greatest * call.constant("beta", 1) > threshold
    )


def zero_beside_negative(call: TorchArguments) -> bool:
    """Does atan2 meet a zero, and a negative second operand?"""
    y, x = call.operand("self"), call.operand("other")
    return y is not None and x is not None and y.zero and x.least < 0


def written_through_a_view(call: TorchArguments) -> bool:
    """Does it write into a part of another tensor?"""
    operand = call.operand()
    return operand is None or operand.view


def fraction_into_integers(call: TorchArguments) -> bool:
    """Is a number with a fraction written into integers?"""
    value = call.constant("fill_value", call.constant("value"))
    operand = call.operand()
    whole = call.asks_for_integers() or (operand is not None and operand.integral)
    return whole and isinstance(value, float) and not value.is_integer()


def fractions_into_integers(call: TorchArguments) -> bool:
    """Are fractions to be cut to integers first?"""
    operand = call.operand()
    return call.asks_for_integers() and operand is not None and not operand.integral


def fractional_range(call: TorchArguments) -> bool:
    """Has a range of integers an end or a step with a fraction?"""
    ends = (call.constant(name) for name in ("start", "end", "step"))
    return call.asks_for_integers() and any(isinstance(end, float) and not end.is_integer() for end in ends)


def masked_attention(call: TorchArguments) -> bool:
    """Is the mask causal or boolean?"""
    mask = call.operand("attn_mask")
    return bool(call.constant("is_causal")) or (mask is not None and mask.boolean)


def infinite_scores(call: TorchArguments) -> bool:
    """May a score of attention be infinite?"""
    operands = (call.operand(name) for name in ("query", "key", "attn_mask"))
    return any(operand is not None and operand.infinite for operand in operands)


def own_statistics(call: TorchArguments) -> bool:
    """Does an instance norm use the statistics that it learned?"""
    return call.constant("use_input_stats") is False


def below_epsilon(call: TorchArguments) -> bool:
    """Is an element smaller than the epsilon that bounds its norm?"""
    epsilon = call.constant("eps", 1e-8)
    return any(operand.zero or operand.smallest < epsilon for operand in call.operands())
