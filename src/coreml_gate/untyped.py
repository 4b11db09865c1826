"""What libraries leave without a type, by name: a signature says what it takes, and ``Any`` stands here.

Only annotations read these names; nothing checks them, which is why they are few.
"""

from typing import Any

MilValue = Any
"""What a MIL value is while a program runs: a tensor, a number, a text, a list or a dictionary."""
TorchObject = Any
"""A node, value, graph or argument of TorchScript or FX, which torch's stubs leave open."""
CoreMlObject = Any
"""A program, operation, model structure, compute plan, state or feature of coremltools."""
Message = Any
"""A message of coremltools' generated protobuf classes."""
Json = Any
"""What JSON or TOML holds: a table, a list, a text, a number, a flag or nothing."""
