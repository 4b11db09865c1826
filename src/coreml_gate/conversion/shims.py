"""Our own converters for torch operations that are identities but have none in coremltools."""

from collections.abc import Iterator
from contextlib import contextmanager

from coremltools.converters.mil import Builder
from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY

from coreml_gate.untyped import CoreMlObject

IDENTITIES = (
    "alias",
    "alpha_dropout",
    "detach_copy",
    "feature_alpha_dropout",
    "lift",
    "positive",
    "resolve_conj",
    "resolve_neg",
)
"""Operations that return their first input: views of themselves, and dropout in eval mode.

The default decompositions leave ``alias`` in Swin and GPT-2; coremltools 9.0 has no converter for it,
although it has one for ``alias_copy``.
"""


@contextmanager
def identity_shims() -> Iterator[list[str]]:
    """Register the identities without a converter, and list those that were used.

    They are removed afterwards, so that user code and other tools see coremltools unchanged.
    """
    registry = _TORCH_OPS_REGISTRY.name_to_func_mapping
    used: list[str] = []
    added = [name for name in IDENTITIES if name not in registry]

    def identity(context: CoreMlObject, node: CoreMlObject) -> None:
        value = context[node.inputs[0]]
        context.add(Builder.identity(x=value, name=node.name))
        if node.kind not in used:
            used.append(node.kind)

    registry.update(dict.fromkeys(added, identity))
    try:
        yield used
    finally:
        for name in added:
            registry.pop(name, None)
