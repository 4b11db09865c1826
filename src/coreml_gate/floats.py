"""The limits of half and single precision: binary16 and binary32 of IEEE 754."""

from typing import Final

GREATEST_HALF: Final = 65504.0
LEAST_NORMAL_HALF: Final = 2.0**-14
"""Below it, a half loses one bit of precision per power of two."""
LEAST_HALF: Final = 2.0**-24
"""The smallest positive half; a value below half of it rounds to 0."""
HALF_ROUNDING: Final = 2.0**-11
"""The greatest relative error of one rounding to half."""
HALF_INTEGERS: Final = 2**11
"""Halves represent every whole number up to here exactly."""
SINGLE_INTEGERS: Final = 2**24
"""Float32 represents every whole number up to here exactly."""
