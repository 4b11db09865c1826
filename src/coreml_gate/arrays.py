"""Arrays whose element type is known only when a program runs."""

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
