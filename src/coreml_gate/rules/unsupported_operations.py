"""Operations that coremltools cannot convert: foreign, CUDA-only, quantized or complex ones."""

from collections.abc import Iterator, Sequence
from typing import Final

from coreml_gate.rules.rule import Match, rule
from coreml_gate.torch_graph import TorchCall, TorchGraph

_TORCH_NAMESPACES: Final = frozenset(
    {"aten", "prim", "prims", "profiler", "_operator", "builtins", "math", ""}
)
_CUDA_NAMESPACES: Final = frozenset(
    {"flash_attn", "xformers", "triton", "flashinfer", "vllm", "apex", "mamba"}
)
_CUDA_MARKS: Final = ("_flash_attention", "_efficient_attention", "cudnn", "cuda", "triton_kernel")
_QUANTIZED: Final = frozenset({"quantized", "quantized_decomposed", "torchao"})
_WRITE_IT: Final = "Write it with operations that convert, or register a converter in the source's file:\n"
_OTHER_PATH: Final = "Give the model a path of torch operations for the export, or register a converter:\n"


def _stub(operation: str, parameters: Sequence[str]) -> str:
    """A template of a converter for the operation and its arguments, whose body is left to write."""
    namespace, _, name = operation.rpartition("::")
    plain = name.removesuffix("_").lower()
    alias = "" if namespace in _TORCH_NAMESPACES else f'(torch_alias=["{operation.lower()}"])'
    given = ", ".join("x" if name == "self" else name for name in parameters)
    taken = f"({given},)" if len(parameters) == 1 else given
    return (
        "from coremltools.converters.mil import Builder as mb, register_torch_op\n\n\n"
        f"@register_torch_op{alias}\n"
        f"def {plain}(context, node):\n"
        f"    {taken} = (context[name] for name in node.inputs[:{len(parameters)}])\n"
        f'    raise NotImplementedError("{plain}({given}) by MIL, then context.add(y, node.name)")'
    )


def _stub_of(call: TorchCall) -> str:
    return _stub(call.operation, call.parameters or tuple(call.inputs) or ("x",))


@rule(
    "no-converter",
    "fatal",
    on="graph",
    evidence=("apple/coremltools#2175", "apple/coremltools#1798"),
    fix=_WRITE_IT + _stub("aten::i0", ("self",)),
)
def no_converter(graph: TorchGraph) -> Iterator[Match]:
    """A torch operation has no converter in coremltools."""
    for call in graph.calls:
        own = _namespace(call) in _TORCH_NAMESPACES
        if (
            call.support == "missing"
            and own
            and not _is_for_cuda(call)
            and not call.dtype.startswith("complex")
        ):
            yield _match(call, f"`{call.operation}` has no converter", _WRITE_IT + _stub_of(call))


def _namespace(call: TorchCall) -> str:
    namespace, separator, _ = call.operation.partition("::")
    return namespace if separator else ""


def _is_for_cuda(call: TorchCall) -> bool:
    return _namespace(call) in _CUDA_NAMESPACES or any(mark in call.operation for mark in _CUDA_MARKS)


def _match(call: TorchCall, text: str, fix: str = "") -> Match:
    return Match(call.module or call.name, text, call.file, call.line, fix)


@rule(
    "broken-converter",
    "fatal",
    on="graph",
    evidence=("measured: coremltools 9.0 registers asinh and acosh, and MIL has neither",),
    fix="Write the formula out:\ntorch.log(x + torch.sqrt(x * x + 1))  # asinh",
    versions="9.0",
)
def broken_converter(graph: TorchGraph) -> Iterator[Match]:
    """The registered converter of an operation always fails."""
    for call in graph.calls:
        if call.support == "broken":
            yield _match(
                call, f"the converter of `{call.operation}` calls a MIL operation that does not exist"
            )


@rule(
    "foreign-operation",
    "fatal",
    on="graph",
    evidence=("https://apple.github.io/coremltools/docs-guides/source/composite-operators.html",),
    fix=_OTHER_PATH + _stub("my_library::my_operation", ("x",)),
)
def foreign_operation(graph: TorchGraph) -> Iterator[Match]:
    """The graph has an operation that is not torch's own."""
    for call in graph.calls:
        foreign = _namespace(call) not in _TORCH_NAMESPACES | _CUDA_NAMESPACES | _QUANTIZED
        if foreign and call.support != "works":
            yield _match(
                call, f"`{call.operation}` is not an operation of torch", _OTHER_PATH + _stub_of(call)
            )


@rule(
    "cuda-operation",
    "fatal",
    on="graph",
    evidence=(
        (
            ""
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html"
        ),
    ),
    fix="Use torch's own attention on the CPU:\nnn.functional.scaled_dot_product_attention(q, k, v)",
)
def cuda_operation(graph: TorchGraph) -> Iterator[Match]:
    """The graph has an operation that exists on CUDA only."""
    for call in graph.calls:
        if _is_for_cuda(call) and call.support != "works":
            yield _match(call, f"`{call.operation}` exists on CUDA only")


@rule(
    "quantized-operation",
    "fatal",
    on="graph",
    evidence=("measured: coremltools 9.0 has no converter for `quantized::linear_dynamic`",),
    fix="Convert the float model, and compress the package instead:\n"
    "[model.compress]\n"
    'method = "linear-int8"',
)
def quantized_operation(graph: TorchGraph) -> Iterator[Match]:
    """The torch model is already quantized."""
    for call in graph.calls:
        if _namespace(call) in _QUANTIZED and call.support != "works":
            yield _match(call, f"`{call.operation}` of a quantised torch model")


@rule(
    "complex-numbers",
    "fatal",
    on="graph",
    evidence=("apple/coremltools#1929", "apple/coremltools#2112"),
    fix="coremltools rewrites only fft, stft, real, imag and abs. Keep two real tensors.",
)
def complex_numbers(graph: TorchGraph) -> Iterator[Match]:
    """The graph computes complex numbers that coremltools cannot rewrite."""
    for call in graph.calls:
        if call.support == "missing" and call.dtype.startswith("complex"):
            yield _match(call, f"`{call.operation}` gives {call.dtype}")
