"""What half and single precision hold: binary16 and binary32 of IEEE 754."""

from typing import Final

GREATEST_HALF: Final = 65504.0
LEAST_NORMAL_HALF: Final = 2.0**-14
"""Below it a half loses a digit per power of two."""
LEAST_HALF: Final = 2.0**-24
"""The smallest positive half; what is less than half of it becomes 0."""
HALF_ROUNDING: Final = 2.0**-11
"""What one rounding to half costs at most, as a share of the value."""
HALF_INTEGERS: Final = 2**11
"""Halves hold every whole number up to here."""
SINGLE_INTEGERS: Final = 2**24
"""Float32 holds every whole number up to here."""
