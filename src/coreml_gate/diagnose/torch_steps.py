"""Runs a captured graph operation by operation; keeps a sketch of each result and its place in the source."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import torch
from coremltools.converters.mil.frontend.torch.torchscript_utils import _expand_and_optimize_ir
from torch import Tensor
from torch.export import ExportedProgram

from coreml_gate.conversion.graph_names import (
    exported_name,
    frames_of,
    module_path,
    script_module,
    short_name,
)
from coreml_gate.conversion.mapping import node_key
from coreml_gate.diagnose.tensor_sketch import TensorSketch, sketch, tensors_in
from coreml_gate.diagnose.torch_calls import TorchArguments, arguments_of
from coreml_gate.engines.places import place_among, traced_frames
from coreml_gate.untyped import TorchObject

_LINK: Final = "@"
_LISTS: Final = frozenset({"prim::ListConstruct", "prim::TupleConstruct"})


class UntraceableError(Exception):
    """The graph cannot be run operation by operation; the message says why."""


@dataclass(frozen=True)
class TorchStep:
    """One torch operation that ran."""

    key: str
    """The key by which the converter's operations refer to it."""
    operation: str
    """Its name, such as ``sub`` or ``_softmax``."""
    module: str
    place: str
    """The innermost line of the repository, such as ``models/net.py:41``; empty if there is none."""
    reads: tuple[str, ...]
    """Keys of the steps whose results it reads."""
    sketches: tuple[TensorSketch, ...]


@dataclass(frozen=True)
class TorchRun:
    """All steps in order by key, and the sketches of the model's outputs."""

    steps: Mapping[str, TorchStep]
    outputs: tuple[TensorSketch, ...]
    calls: Mapping[str, TorchArguments] = field(default_factory=dict)
    """The arguments of the watched operation, by the keys of its steps."""


def run_graph(
    graph: ExportedProgram | torch.jit.ScriptModule, inputs: Sequence[Tensor], root: Path, watched: str = ""
) -> TorchRun:
    """One run over one sample.

    :param watched: An operation whose arguments are kept.
    :raises UntraceableError: The graph branches on values, or has a part that cannot be run alone.
    """
    given = [value.clone() for value in inputs]
    with torch.no_grad():
        if isinstance(graph, ExportedProgram):
            return _run_program(graph, given, _Recorder(root, watched))
        return _run_script(graph, given, _Recorder(root, watched))


@dataclass
class _Recorder:
    """Collects steps, and detects tensors that were written to after their sketch was taken."""

    root: Path
    watched: str = ""
    steps: dict[str, TorchStep] = field(default_factory=dict)
    calls: dict[str, TorchArguments] = field(default_factory=dict)
    _versions: dict[str, tuple[Tensor, int]] = field(default_factory=dict)
    _writers: dict[int, str] = field(default_factory=dict)

    def add(self, step: TorchStep, result: object) -> None:
        self.steps[step.key] = step
        if step.operation.endswith("_") and not step.operation.endswith("__"):
            for tensor in tensors_in(result):
                self._writers[_storage(tensor)] = step.key
        if isinstance(result, Tensor) and not result.is_inference():
            self._versions[step.key] = (result, result._version)  # noqa: SLF001  # how torch counts writes

    def read(self, key: str) -> str:
        """The current key of a value: a new one after it was written to through a view."""
        tensor, version = self._versions.get(key, (None, 0))
        if tensor is None or tensor._version == version:  # noqa: SLF001  # as above
            return key
        writer = self.steps.get(self._writers.get(_storage(tensor), ""))
        if writer is None or writer.key == key:
            return key
        again = f"{key}{_LINK}{tensor._version}"  # noqa: SLF001  # as above
        if again not in self.steps:
            self.steps[again] = TorchStep(
                again, writer.operation, writer.module, writer.place, (key,), (sketch(tensor),)
            )
        return again


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _run_program(program: ExportedProgram, inputs: list[Tensor], recorder: _Recorder) -> TorchRun:
    interpreter = _Interpreter(program, recorder)
    return interpreter.run_all(_graph_arguments(program, inputs))


class _Interpreter(torch.fx.Interpreter):
    def __init__(self, program: ExportedProgram, recorder: _Recorder) -> None:
        super().__init__(program.graph_module)
        self._recorder = recorder

    def run_all(self, arguments: Sequence[object]) -> TorchRun:
        returned = self.run(*arguments, enable_io_processing=False)
        outputs = tuple(sketch(item) for item in tensors_in(returned))
        return TorchRun(self._recorder.steps, outputs, self._recorder.calls)

    def run_node(self, n: torch.fx.Node) -> TorchObject:
        if n.op == "call_function" and short_name(exported_name(n.target)) == self._recorder.watched:
            given, named = self.fetch_args_kwargs_from_env(n)
            schema = getattr(n.target, "_schema", None)
            self._recorder.calls[node_key(n)] = arguments_of(schema, given, named)
        result = super().run_node(n)
        if n.op == "call_function" and (found := tensors_in(result)):
            step = TorchStep(
                key=node_key(n),
                operation=short_name(exported_name(n.target)),
                module=module_path(n),
                place=place_among(frames_of(n), self._recorder.root),
                reads=tuple(node_key(item) for item in n.all_input_nodes),
                sketches=tuple(sketch(item) for item in found),
            )
            self._recorder.add(step, result)
        return result


def _graph_arguments(program: ExportedProgram, inputs: Sequence[Tensor]) -> list[object]:
    """The arguments of the flat graph: parameters, buffers and constants, then the inputs."""
    given = iter(inputs)
    signature = program.graph_signature
    named = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    named |= signature.inputs_to_lifted_tensor_constants
    held = {**program.constants, **program.state_dict}
    arguments: list[object] = []
    for node in program.graph.nodes:
        if node.op != "placeholder":
            continue
        if node.name in named:
            value = held[named[node.name]]
            arguments.append(value.clone() if isinstance(value, Tensor) else value)
        else:
            arguments.append(next(given))
    return arguments


def _run_script(script: torch.jit.ScriptModule, inputs: list[Tensor], recorder: _Recorder) -> TorchRun:
    """Interprets the graph that the converter itself reads, whose names its operations have."""
    graph: TorchObject = _expand_and_optimize_ir(script)[0]
    owner, *given = graph.inputs()
    values: dict[str, TorchObject] = {owner.debugName(): script}
    values |= {item.debugName(): value for item, value in zip(given, inputs, strict=True)}
    for node in graph.nodes():
        _run_script_node(node, values, recorder)
    returned = [values[item.debugName()] for item in graph.outputs()]
    found = [tensor for item in returned for tensor in tensors_in(item)]
    return TorchRun(recorder.steps, tuple(sketch(tensor) for tensor in found), recorder.calls)


def _run_script_node(node: TorchObject, values: dict[str, TorchObject], recorder: _Recorder) -> None:
    names = [item.debugName() for item in node.inputs()]
    reads = tuple(recorder.read(key) for name in names for key in _tensor_keys(name, values))
    arguments = [values[name] for name in names]
    outputs = [item.debugName() for item in node.outputs()]
    if short_name(node.kind()) == recorder.watched and "(" in node.schema():
        schema = torch._C.parse_schema(node.schema())  # noqa: SLF001  # torch offers no public way
        recorder.calls[outputs[0]] = arguments_of(schema, arguments, {})
    result = _PRIM[node.kind()](node, arguments) if node.kind() in _PRIM else _call(node, arguments)
    results = result if len(outputs) > 1 or node.kind().endswith("Unpack") else (result,)
    values.update(zip(outputs, results, strict=True))
    if node.kind() in _LISTS:
        values[_LINK + outputs[0]] = tuple(dict.fromkeys(reads))
    elif node.kind().startswith("aten::") and tensors_in(result):
        recorder.add(_script_step(node, reads, result, recorder.root), result)


def _script_step(node: TorchObject, reads: tuple[str, ...], result: object, root: Path) -> TorchStep:
    return TorchStep(
        key=next(iter(node.outputs())).debugName(),
        operation=short_name(node.kind()),
        module=script_module(node),
        place=place_among(traced_frames(node.sourceRange()), root),
        reads=reads,
        sketches=tuple(sketch(item) for item in tensors_in(result)),
    )


def _tensor_keys(name: str, values: Mapping[str, TorchObject]) -> tuple[str, ...]:
    """The keys of tensors; a list counts as its elements."""
    listed: tuple[str, ...] = values.get(_LINK + name, (name,))
    return listed


def _call(node: TorchObject, arguments: list[TorchObject]) -> TorchObject:
    if list(node.blocks()):
        raise UntraceableError(f"the traced graph has control flow (`{node.kind()}`).")
    schema = node.schema()
    operation, _ = torch._C._jit_get_operation(node.kind())  # noqa: SLF001  # torch offers no public way
    if operation is None or schema == "(no schema)":
        raise UntraceableError(f"the traced graph has `{node.kind()}`, which cannot be run alone.")
    parsed = torch._C.parse_schema(schema)  # noqa: SLF001  # as above
    pairs = list(zip(parsed.arguments, arguments, strict=True))
    positional = [value for argument, value in pairs if not argument.kwarg_only]
    named = {argument.name: value for argument, value in pairs if argument.kwarg_only}
    return operation(*positional, **named)


def _constant(node: TorchObject, _: list[TorchObject]) -> TorchObject:
    return node.output().toIValue()


_PRIM: Final[Mapping[str, Callable[[TorchObject, list[TorchObject]], TorchObject]]] = {
    "prim::Constant": _constant,
    "prim::GetAttr": lambda node, arguments: getattr(arguments[0], node.s("name")),
    "prim::ListConstruct": lambda _, arguments: list(arguments),
    "prim::TupleConstruct": lambda _, arguments: tuple(arguments),
    "prim::ListUnpack": lambda _, arguments: tuple(arguments[0]),
    "prim::TupleUnpack": lambda _, arguments: tuple(arguments[0]),
    "prim::NumToTensor": lambda _, arguments: torch.tensor(arguments[0]),
    "prim::device": lambda _, arguments: arguments[0].device,
    "prim::dtype": lambda _, arguments: arguments[0].dtype,
    "aten::Int": lambda _, arguments: int(arguments[0]),
    "aten::Float": lambda _, arguments: float(arguments[0]),
    "aten::Bool": lambda _, arguments: bool(arguments[0]),
    "aten::ScalarImplicit": lambda _, arguments: arguments[0].item(),
}
