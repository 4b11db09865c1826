"""Can coremltools convert an operation? A registered converter may be unable to work."""

import dis
from collections.abc import Collection
from functools import cache
from itertools import pairwise

from coremltools.converters.mil import Builder
from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY
from coremltools.converters.mil.frontend.torch.utils import sanitize_op_kind

from coreml_gate.torch_graph import Support

_BUILDER = "mb"
"""The name of the MIL builder in coremltools' converters."""


def support_of(operation: str, missing: Collection[str]) -> Support:
    """What ``aten::sub.Tensor`` is, where the converter knows none of the kinds in ``missing``."""
    kind = sanitize_op_kind(operation)
    if kind in broken_converters():
        return "broken"
    return "missing" if {kind, kind.removesuffix("_")} & set(missing) else "works"


def is_convertible(kind: str) -> bool:
    """Whether an operation, by coremltools' name, has a working converter."""
    return _TORCH_OPS_REGISTRY.get_func(kind) is not None and kind not in broken_converters()


@cache
def broken_converters() -> frozenset[str]:
    """Converters that call a MIL operation which does not exist: 9.0 has those of ``asinh`` and ``acosh``.

    Read off their bytecode, so that none of them has to run.
    """
    functions = _TORCH_OPS_REGISTRY.name_to_func_mapping
    return frozenset(
        name
        for name, function in functions.items()
        if any(not hasattr(Builder, called) for called in _called(function))
    )


def _called(function: object) -> list[str]:
    instructions = list(dis.get_instructions(function))  # type: ignore[arg-type]  # converters are functions
    pairs = pairwise(instructions)
    return [
        str(attribute.argval)
        for builder, attribute in pairs
        if builder.opname == "LOAD_GLOBAL"
        and builder.argval == _BUILDER
        and attribute.opname in {"LOAD_ATTR", "LOAD_METHOD"}
    ]
