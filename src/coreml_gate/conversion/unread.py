"""Finds arguments of a captured graph that the converter never reads, from the converter's own source.

An exported node has ATen's keyword-only arguments (``alpha``, ``rounding_mode``, ``dtype``, ...) apart from
its inputs, and a converter function may or may not read them. In a traced graph every argument has a
position, which a converter function may ignore.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.export import ExportedProgram

from coreml_gate.conversion.converter_source import read_keywords, unread_positions
from coreml_gate.conversion.graph_names import exported_name, frames_of, module_path, short_name
from coreml_gate.engines.places import own_place
from coreml_gate.untyped import TorchObject

_NO_MATTER: Final = frozenset(
    {
        *("layout", "device", "pin_memory", "memory_format", "non_blocking", "requires_grad", "out"),
        *("generator", "p", "dropout", "train", "training", "momentum", "sparse_grad", "half_to_float"),
        *("benchmark", "deterministic", "cudnn_enabled", "allow_tf32", "enable_gqa", "path"),
        *("use_input_stats",),
        *("implicit", "assert_msg", "output_size", "HxW", "min", "max", "out_int32", "total_length"),
    }
)
"""Arguments of storage or training, redundant ones, and those with a rule of their own."""
_KEEP_THEIR_VALUES: Final = frozenset(
    {
        *("sum", "prod", "cumsum", "cumprod", "norm", "linalg_vector_norm"),
        *("softmax", "log_softmax", "_softmax", "_log_softmax"),
    }
)
"""Operations that give the same for whole numbers in integers and in floats."""
_FILLING: Final = frozenset({"full_like", "new_full", "full", "fill", "scalar_tensor"})
_BASE_TYPES: Final[Mapping[int, torch.dtype]] = {
    0: torch.uint8, 1: torch.int8, 2: torch.int16, 3: torch.int32, 4: torch.int64,
    5: torch.float16, 6: torch.float32, 7: torch.float64, 11: torch.bool, 15: torch.bfloat16,
}  # fmt: skip
"""Element types by their codes in a traced graph (c10/core/ScalarType.h)."""


@dataclass(frozen=True)
class Unread:
    """One argument that affects the result, and that the converter does not read."""

    operation: str
    keyword: str
    value: str
    module: str
    place: str

    @property
    def cause(self) -> str:
        """The cause as text, without the place."""
        return f"the converter never reads `{self.keyword}` = {self.value} of `{self.operation}`"

    def __str__(self) -> str:
        where = ", ".join(filter(None, (f"module `{self.module}`" if self.module else "", self.place)))
        return self.cause + (f" ({where})" if where else "")


@dataclass(frozen=True)
class Call:
    """One call of an ATen operation, of either kind of graph."""

    kind: str
    """``aten::sub.Tensor``"""
    schema: TorchObject
    """Torch's ``FunctionSchema``, which has no public type."""
    arguments: Sequence[TorchObject]
    """By position: constants, or ``dtype`` of a tensor in its place."""
    keywords: Mapping[str, TorchObject]

    @property
    def name(self) -> str:
        """``sub``"""
        return short_name(self.kind).removesuffix("_")

    def unread(self) -> Iterator[tuple[str, TorchObject]]:
        """Names and values of relevant arguments that are never read; defaults are not relevant."""
        parameters = self.schema.arguments
        positions = unread_positions(self.kind, len(parameters))
        for position, value in enumerate(self.arguments[: len(parameters)]):
            if position in positions and self._matters(parameters[position], value):
                yield parameters[position].name, value
        read = read_keywords(self.kind)
        known = {item.name: item for item in parameters}
        for keyword, value in self.keywords.items():
            if read is not None and keyword not in read and self._matters(known[keyword], value):
                yield keyword, value

    def _matters(self, parameter: TorchObject, value: TorchObject) -> bool:
        """Whether the argument changes the result."""
        default = parameter.default_value if parameter.has_default_value() else None
        if parameter.name in _NO_MATTER or value is None or _equal(value, default):
            return False
        if parameter.name == "dtype":
            dtype = _BASE_TYPES.get(value) if isinstance(value, int) else value
            return dtype is not None and self._changes_kind(dtype)
        return not isinstance(value, OfTensor) or parameter.name != "self"

    def _changes_kind(self, dtype: torch.dtype) -> bool:
        """Whether it converts between integers and floats; widths do not matter in float32."""
        fractions = [item for item in self.arguments if isinstance(item, float) and not item.is_integer()]
        if self.name in _FILLING or not any(isinstance(item, OfTensor) for item in self.arguments):
            return bool(fractions) and not dtype.is_floating_point
        given = next((item.dtype for item in self.arguments if isinstance(item, OfTensor)), None)
        filled = self.name.startswith(
            ("zeros", "ones", "empty", "new_zeros", "new_ones", "new_empty", "rand")
        )
        if given is None or filled:
            return False
        if self.name in _KEEP_THEIR_VALUES:
            return given.is_floating_point and not dtype.is_floating_point
        return given.is_floating_point != dtype.is_floating_point


@dataclass(frozen=True)
class OfTensor:
    """A placeholder for a tensor among the arguments."""

    dtype: torch.dtype | None


def unread_arguments(program: ExportedProgram, root: Path) -> Iterator[Unread]:
    """All unread arguments, in the order of the graph."""
    for node in program.graph.nodes:
        call = exported_call(node)
        if call is not None:
            for keyword, value in call.unread():
                place = own_place(frames_of(node), root)
                yield Unread(call.name, keyword, str(value), module_path(node), place)


def exported_call(node: torch.fx.Node) -> Call | None:
    """The call of an exported graph's node; ``None`` if it is not an ATen operation."""
    target = node.target
    if node.op != "call_function" or not isinstance(target, torch._ops.OpOverload):  # noqa: SLF001  # named nowhere else
        return None
    values = [_fx_value(item) for item in node.args]
    keywords = {name: _fx_value(item) for name, item in node.kwargs.items()}
    return Call(exported_name(target), target._schema, values, keywords)  # noqa: SLF001  # as above


def script_call(node: TorchObject) -> Call | None:
    """The call of a traced graph's node; ``None`` if torch does not know its schema."""
    form = node.schema()
    if "(" not in form or not node.kind().startswith("aten::"):
        return None
    return Call(node.kind(), torch._C.parse_schema(form), [_script_value(item) for item in node.inputs()], {})  # noqa: SLF001  # as above


def _fx_value(item: TorchObject) -> TorchObject:
    if not isinstance(item, torch.fx.Node):
        return item
    value = item.meta.get("val")
    return OfTensor(value.dtype if isinstance(value, Tensor) else None)


def _script_value(value: TorchObject) -> TorchObject:
    made = value.node()
    if made.kind() == "prim::Constant":
        return value.toIValue()
    if made.kind() == "prim::ListConstruct":
        return [_script_value(item) for item in made.inputs()]
    kind = value.type()
    return OfTensor(kind.dtype() if isinstance(kind, torch._C.TensorType) else None)  # noqa: SLF001  # as above


def _equal(value: object, default: object) -> bool:
    return not isinstance(value, OfTensor) and type(value) is not Tensor and value == default
