"""``keep-fp32``: the operations that the converter leaves in float32.

A pattern with a slash is ``Module/type``: the class of the innermost module, and the MIL type of the
operation (``RMSNorm/*``, ``*/softmax``). One without is the name of an operation. All are globs.
"""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.conversion.origins import Origin, Places
from coreml_gate.torch_graph import saved_name
from coreml_gate.untyped import CoreMlObject

_SHOWN = 8


def is_kept(patterns: Sequence[str], name: str, operation_type: str, origin: Origin) -> list[str]:
    """The patterns that name this operation."""
    full = f"{origin.module}/{operation_type}"
    return [pattern for pattern in patterns if fnmatchcase(full if "/" in pattern else name, pattern)]


class Selector:
    """``op_selector`` of coremltools' FP16ComputePrecision: true for operations that become half precision.

    It is called once per operation that can, and collects ``origins`` by the operations' names in the float32
    twin, where the producer of an output has the output's name.
    """

    def __init__(self, patterns: Sequence[str], outputs: Sequence[str], places: Places) -> None:
        self.origins: dict[str, Origin] = {}
        self._patterns = patterns
        self._outputs = outputs
        self._places = places
        self._used: set[str] = set()

    def __call__(self, operation: CoreMlObject) -> bool:
        """Whether this operation should become half precision."""
        if operation.op_type == "const":
            return True
        origin = self._places.of(getattr(operation, "scopes", {}))
        names = [self._twin_name(operation), operation.outputs[0].name]
        kept = [p for name in names for p in is_kept(self._patterns, name, operation.op_type, origin)]
        self.origins[names[0]] = replace(origin, half=not kept, variable=names[1])
        self._used.update(kept)
        return not kept

    def refuse_unused(self) -> None:
        """Raises :class:`ConversionFailedError` for a pattern without a match."""
        unused = [pattern for pattern in self._patterns if pattern not in self._used]
        if not unused:
            return
        modules = sorted({origin.module for origin in self.origins.values()} - {""})
        raise ConversionFailedError(
            f"`keep-fp32` names `{unused[0]}`, which is not an operation of this model.",
            "remove it, or write it as `Module/type`; the modules are "
            f"{', '.join(f'`{module}`' for module in modules[:_SHOWN])}.",
        )

    def _twin_name(self, operation: CoreMlObject) -> str:
        block = operation.enclosing_block
        if block.outer_op is None and len(block.outputs) == len(self._outputs):
            for output, name in zip(block.outputs, self._outputs, strict=True):
                if output in operation.outputs:
                    return name
        return saved_name(str(operation.outputs[0].name))
