"""The outline of a program: per operation, what decides whether it changed, small enough for a Record.

Constants are folded into the operations that read them: weights as digests of their stored form, so a
palettised layer differs from a plain one, and settings (strides, axes, epsilons) as one digest.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from coreml_gate.mil.diff import Node, ProgramOutline, Result, Weight
from coreml_gate.mil.diff_matching import plain_name
from coreml_gate.mil.ir import Argument, Constant, Function, ListType, Operation, TensorType, ValueType
from coreml_gate.mil.values import Values
from coreml_gate.mil.weights import release

_DIGITS: Final = 12
"""Hexadecimal digits of a digest: with 48 bits, two of 10,000 weights collide in 1 of 5 million packages."""
_NAME: Final = "name"
_CONVOLUTIONS: Final = frozenset({"conv", "conv_transpose"})
_UNNAMED: Final = re.compile(
    r"(const|op|var|input|x|weight|bias|add|addmm|arange|bmm|clone|div|expand|full|matmul|mm|mul|permute|select|"
    r"slice|sub|transpose|unsqueeze|view|where)?(_bias|_weight)?_?\d*"
)
"""The converter's own names for weights, from their operation and a number."""
_SUFFIX: Final = re.compile(r"(_to_fp16|_to_fp32|_quantized|_palettized|_sparsified|_cast_fp16)+$")
_PARAMETER: Final = re.compile(r"_?(weight|bias)(_[ih]h_l\d+)?$")
_EXPORTED: Final = re.compile(r"^[pb]_")
_LAYER: Final = re.compile(r"^(.*?_\d+)(?=_|$)")


@dataclass(frozen=True)
class ModuleNames:
    """What the source knows of its modules, which a package does not."""

    written: Mapping[str, str] = field(default_factory=dict)
    """Paths as the source writes them (:func:`written_modules`)."""
    convolutions: Mapping[str, str] = field(default_factory=dict)
    """The path of a convolution's module by the names that the operation may have in a package."""

    def of(self, module: str) -> str:
        """A module's path as the source writes it."""
        return self.written.get(module.lower(), module)

    def of_convolution(self, name: str) -> str:
        """The part of the model to which a convolution belongs, as its weight would be called."""
        path = self.convolutions.get(plain_name(name), "")
        return module_of_weight(f"{path.replace('.', '_')}_weight") if path else ""


UNKNOWN: Final = ModuleNames()


def outline(function: Function, names: ModuleNames = UNKNOWN) -> ProgramOutline:
    """The operations that run, in order; those of nested blocks follow the operation that contains them."""
    values = Values(function)
    digests = _Digests(values)
    modules = modules_of(function, names)
    nodes = (
        Node(
            name=operation.name,
            type=operation.type,
            module=modules[operation.name],
            results=tuple(Result(value.name, _type_text(value.type)) for value in operation.outputs),
            reads=tuple(name for name in operation.reads() if not values.is_stored(name)),
            settings=digests.settings(operation),
            weights=tuple(digests.weights(operation)),
        )
        for operation in values.operations()
    )
    return ProgramOutline(
        tuple(value.name for value in function.inputs), tuple(nodes), function.block.outputs
    )


def written_modules(paths: Iterable[str]) -> dict[str, str]:
    """Paths of modules and their parents, such as ``layers.0.attn``, by the names that torch.export gives
    them.

    torch.export writes parameter names in lower case with underscores, which loses case and dots.
    """
    parts = (path.split(".") for path in paths if path)
    holders = (".".join(names[:end]) for names in parts for end in range(1, len(names) + 1))
    return {path.replace(".", "_").lower(): path for path in holders}


def modules_of(function: Function, names: ModuleNames = UNKNOWN) -> Mapping[str, str]:
    """The part of the model to which each operation belongs, by its name; empty if unknown.

    A package names no modules, but its weights keep the names of the source's parameters:
    ``layers_0_attn_weight`` belongs to ``layers_0``, or to ``layers.0`` as ``names`` has it. An operation
    without weights belongs to the part of its first operand, which is right for activations and wrong for
    some reshapes between two parts. A layer whose weight has a converter's name is unknown, except a
    convolution with a batch norm folded into it, which is found by its own name.
    """
    values = Values(function)
    layers = {operation.name for operation, _, _ in values.index.weights()}
    found: dict[str, str] = {}
    of_value: dict[str, str] = {}
    for operation in values.operations():
        weights = (name for name in operation.reads() if values.is_stored(name) and values.is_weight(name))
        own = next(filter(None, map(module_of_weight, weights)), "")
        if not own and operation.type in _CONVOLUTIONS:
            own = names.of_convolution(operation.name)
        inherited = (of_value.get(name, "") for name in operation.reads() if operation.name not in layers)
        module = own or next(filter(None, inherited), "")
        found[operation.name] = names.of(module)
        of_value.update({value.name: found[operation.name] for value in operation.outputs})
    return found


def module_of_weight(name: str) -> str:
    """``layers_0`` of ``p_layers_0_attn_weight_to_fp16``; empty if the converter chose the name."""
    plain = _EXPORTED.sub("", _SUFFIX.sub("", name))
    layer = _LAYER.match(plain)
    module = layer[1] if layer else _PARAMETER.sub("", plain)
    return "" if _UNNAMED.fullmatch(module) else module


def _type_text(kind: ValueType) -> str:
    if isinstance(kind, ListType):
        return f"list of {kind.element}"
    return str(kind) if isinstance(kind, TensorType) else type(kind).__name__.removesuffix("Type").lower()


@dataclass(frozen=True)
class _Digests:
    """Digests of the constants that operations read."""

    values: Values

    def settings(self, operation: Operation) -> str:
        """The digest of all constants but weights, with three digits per number, which FP16 keeps."""
        words = [
            f"{parameter}={_setting(constant)}"
            for parameter, argument in _arguments(operation)
            if (constant := self._constant(argument)) is not None and not self._is_weight(argument)
        ]
        return _digest(word.encode() for word in words) if words else ""

    def weights(self, operation: Operation) -> Iterator[Weight]:
        """The digest of each weight, by the parameter to which it is bound."""
        for parameter, argument in _arguments(operation):
            if self._is_weight(argument):
                yield Weight(parameter, self._form(argument), _digest(self._stored(argument)))

    def _is_weight(self, argument: Argument) -> bool:
        return (
            isinstance(argument, str) and self.values.is_stored(argument) and self.values.is_weight(argument)
        )

    def _constant(self, argument: Argument) -> Constant | None:
        return argument if isinstance(argument, Constant) else self.values.index.constants.get(argument)

    def _form(self, argument: Argument) -> str:
        made = self.values.index.producers[str(argument)]
        text = _type_text(made.outputs[0].type)
        return text if made.type == "const" else f"{made.type.removeprefix('constexpr_')} {text}"

    def _stored(self, argument: Argument) -> Iterator[bytes | memoryview]:
        """The stored bytes of a value, behind the operations that decompress it."""
        constant = self._constant(argument)
        if constant is not None:
            yield str(constant.type).encode()
            yield constant.data.data.cast("B")
            release(constant.data)
            return
        made = self.values.index.producers[str(argument)]
        yield made.type.encode()
        for parameter, inner in _arguments(made):
            yield parameter.encode()
            yield from self._stored(inner)


def _arguments(operation: Operation) -> Iterator[tuple[str, Argument]]:
    """All arguments by parameter; the ``constexpr`` operations of iOS 16 store them as attributes."""
    for parameter, bound in operation.inputs.items():
        yield from ((parameter, argument) for argument in bound)
    yield from ((key, item) for key, item in operation.attributes.items() if key != _NAME)


def _setting(constant: Constant) -> str:
    elements = constant.array.reshape(-1).tolist()
    return ",".join(f"{each:.3g}" if isinstance(each, float) else str(each) for each in elements)


def _digest(parts: Iterable[bytes | memoryview]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.hexdigest()[:_DIGITS]
