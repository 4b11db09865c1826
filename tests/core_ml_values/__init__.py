"""Values that Core ML gave on real devices, each with its source, unit and printed precision."""

from typing import Final

from tests.core_ml_values import elementwise, indices_and_shapes, reductions_and_products
from tests.core_ml_values.published import Published

CASES: Final[tuple[Published, ...]] = (
    *elementwise.CASES,
    *reductions_and_products.CASES,
    *indices_and_shapes.CASES,
)
