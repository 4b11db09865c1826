"""Whether coremltools can convert an operation; a registered converter may still be broken."""

import dis
from collections.abc import Callable, Collection
from functools import cache
from itertools import pairwise

from coremltools.converters.mil import Builder
from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY
from coremltools.converters.mil.frontend.torch.utils import sanitize_op_kind

from coreml_gate.torch_graph import Support

_BUILDER = "mb"
"""The name of the MIL builder in coremltools' converters."""


def support_of(operation: str, missing: Collection[str]) -> Support:
    """The support of a kind such as ``aten::sub.Tensor``, if no kind in ``missing`` has a converter."""
    kind = sanitize_op_kind(operation)
    if _is_broken(_TORCH_OPS_REGISTRY.get_func(kind)):
        return "broken"
    return "missing" if {kind, kind.removesuffix("_")} & set(missing) else "works"


def is_convertible(kind: str) -> bool:
    """Whether an operation, by coremltools' name, has a working converter."""
    function = _TORCH_OPS_REGISTRY.get_func(kind)
    return function is not None and not _is_broken(function)


@cache
def _is_broken(converter: Callable[..., object] | None) -> bool:
    """Whether it calls a MIL operation that does not exist, as those of ``asinh`` and ``acosh`` do in 9.0.

    It is read from the bytecode, so the converter need not run.
    """
    return converter is not None and any(not hasattr(Builder, called) for called in _called(converter))


def _called(function: Callable[..., object]) -> list[str]:
    instructions = list(dis.get_instructions(function))
    pairs = pairwise(instructions)
    return [
        str(attribute.argval)
        for builder, attribute in pairs
        if builder.opname == "LOAD_GLOBAL"
        and builder.argval == _BUILDER
        and attribute.opname in {"LOAD_ATTR", "LOAD_METHOD"}
    ]
