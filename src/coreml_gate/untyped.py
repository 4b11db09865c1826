"""Names for values that libraries leave untyped: signatures use these names, and ``Any`` occurs only here.

They document but check nothing, which is why they are few.
"""

from typing import Any

MilValue = Any
"""A MIL value while a program runs: a tensor, number, string, list or dictionary."""
TorchObject = Any
"""A node, value, graph or argument of TorchScript or FX, which torch's stubs leave open."""
CoreMlObject = Any
"""A program, operation, model structure, compute plan, state or feature of coremltools."""
Message = Any
"""A message of coremltools' generated protobuf classes."""
Json = Any
"""A value of JSON or TOML: table, list, string, number, boolean or null."""
