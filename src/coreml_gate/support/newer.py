"""Which torch operations have no converter in coremltools 9.0 and one in the version that is being made?

Read off coremltools' repository at commit e0e2f42b (2026-08-18), version 9.1.dev1: the functions that
it registers beyond those of 9.0, and the pull request that brought each. A converter that exists may still
refuse some arguments (`deform_conv2d` and `roi_align` want constant sizes).
"""

from collections.abc import Mapping
from typing import Final

VERSION: Final = "9.1"
_PULL_REQUESTS: Final[Mapping[str, int]] = {
    "alias": 2659,
    "argsort.stable": 2782,
    "bitwise_or": 2668,
    "bitwise_xor": 2668,
    "deform_conv2d": 2752,
    "l1_loss": 2641,
    "masked_scatter": 2655,
    "new_ones": 2668,
    "polar": 2739,
    "prod": 2815,
    "roi_align": 2753,
    "sort.stable": 2782,
    "tensor_split": 2715,
    "unfold": 2672,
    "upsample_bicubic2d": 2818,
    "where.ScalarOther": 2668,
    "xor": 2668,
}


def added_in(operation: str) -> str:
    """The version that converts ``aten::unfold``, in words; empty where none is known.

    An overload (``aten::prod.dim_int``) counts as its operation; some came alone, and are named whole.
    """
    plain = operation.rpartition("::")[2]
    names = (plain, plain.partition(".")[0], plain.removeprefix("_").removesuffix("_aa"))
    found = next((_PULL_REQUESTS[name] for name in names if name in _PULL_REQUESTS), None)
    return "" if found is None else f"coremltools {VERSION}, not yet released (apple/coremltools#{found})"
