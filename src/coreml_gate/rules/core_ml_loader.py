"""Programs that coremltools saves without a warning and Core ML does not compile, load or run."""

from collections.abc import Iterator
from typing import Final

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Operation, StateType, TensorType
from coreml_gate.mil.package import Package
from coreml_gate.rules.evidence import CHROMIUM, FRONT_END_TESTS, MIL_TESTS
from coreml_gate.rules.rule import Match, rule

_WEBNN: Final = f"{CHROMIUM}/+/main/services/webnn/coreml/graph_builder_coreml.cc"
_INTEGERS: Final = frozenset({"int8", "uint8", "int16", "uint16", "int32", "bool"})
_BORDER_AXES: Final = 2
_MATRIX: Final = 2
_GREATEST_RANK: Final = 5
_IOS15: Final = 15


@rule(
    "vector-matmul",
    "fatal",
    on="program",
    evidence=("apple/coremltools#2719", "apple/coremltools#2263"),
    fix="Core ML multiplies matrices, not vectors. Give the vector a second axis:\n(x[None] @ w)[0]",
)
def vector_matmul(program: Index) -> Iterator[Match]:
    """An operand of matmul is a vector."""
    for operation in program.of("matmul"):
        for parameter in ("x", "y"):
            kind = _type(program, operation, parameter)
            if kind is not None and kind.ranked and len(kind.shape) < _MATRIX:
                yield Match(operation.name, f"`matmul` of {kind} as {parameter}")


def _type(program: Index, operation: Operation, parameter: str) -> TensorType | None:
    """The type of an operand, constants included."""
    value = program.numbers(operation, parameter)
    kind = program.types.get(program.name(operation, parameter) or "")
    if isinstance(kind, TensorType):
        return kind
    return None if value is None else TensorType("fp32", value.shape)


@rule(
    "padded-borders",
    "fatal",
    on="program",
    evidence=("apple/coremltools#2571", _WEBNN),
    fix="Pad one axis by indexing, and the other two by `F.pad`:\n"
    "x = x[:, :, torch.arange(-1, d + 1).abs()]  # reflect; .clamp(0, d - 1) replicates\n"
    "x = F.pad(x.flatten(1, 2), (1, 1, 1, 1), mode='reflect').unflatten(1, (c, -1))",
)
def padded_borders(program: Index) -> Iterator[Match]:
    """More than two axes are padded by reflection or replication."""
    for operation in program.of("pad"):
        mode, pad = program.text(operation, "mode"), program.numbers(operation, "pad")
        if mode in {"reflect", "replicate"} and pad is not None:
            axes = int((pad.reshape(-1, 2).sum(1) > 0).sum())
            if axes > _BORDER_AXES:
                yield Match(operation.name, f"`pad` with mode {mode} over {axes} axes")


@rule(
    "linear-of-integers",
    "fatal",
    on="program",
    evidence=("apple/coremltools#2575", f"{MIL_TESTS}/iOS17/test_linear.py (rdar 111421695)"),
    fix="Core ML cannot plan an integer linear layer (error -14). Compute in floats:\n"
    "(x.float() @ w.float().T).to(torch.int32)",
)
def linear_of_integers(program: Index) -> Iterator[Match]:
    """A linear layer computes in integers."""
    for operation in program.of("linear"):
        if program.input_dtype(operation, "x") in _INTEGERS:
            yield Match(operation.name, f"`linear` of {program.input_dtype(operation, 'x')}")


@rule(
    "negative-scale",
    "fatal",
    on="program",
    evidence=(f"{_WEBNN} and its baseline quantizeLinear_gpu of macOS 15",),
    fix="Core ML does not compile it. Use the absolute value as the scale, and negate the values.",
)
def negative_scale(program: Index) -> Iterator[Match]:
    """A quantization scale is zero or negative."""
    for operation in program.of("quantize", "dequantize"):
        scale = program.numbers(operation, "scale")
        if scale is not None and scale.size and float(scale.min()) <= 0:
            yield Match(operation.name, f"`{operation.type}` with a scale of {float(scale.min()):g}")


@rule(
    "reduced-scalar",
    "fatal",
    on="program",
    evidence=(_WEBNN,),
    fix="Core ML does not reduce scalars, nor over an empty list of axes. Remove the reduction.",
)
def reduced_scalar(program: Index) -> Iterator[Match]:
    """A reduction has a scalar operand or an empty list of axes."""
    for operation in program.operations:
        if not operation.type.startswith("reduce_"):
            continue
        axes, kind = program.numbers(operation, "axes"), _type(program, operation, "x")
        if kind is not None and kind.ranked and not kind.shape:
            yield Match(operation.name, f"`{operation.type}` of a scalar")
        elif axes is not None and axes.size == 0:
            yield Match(operation.name, f"`{operation.type}` over no axes")


@rule(
    "scattered-norm-axes",
    "fatal",
    on="program",
    evidence=(f"{_WEBNN} (crbug 391423301)",),
    fix="Move the axes together first, and back afterwards:\n"
    "F.layer_norm(x.movedim(1, -2), shape).movedim(-2, 1)",
)
def scattered_norm_axes(program: Index) -> Iterator[Match]:
    """A layer norm runs over axes that are not adjacent."""
    for operation in program.of("layer_norm"):
        axes, rank = program.numbers(operation, "axes"), len(program.input_shape(operation, "x"))
        if axes is None or not rank:
            continue
        order = sorted(int(axis) % rank for axis in axes.reshape(-1))
        if order != list(range(order[0], order[0] + len(order))):
            yield Match(operation.name, f"`layer_norm` over the axes {order}")


@rule(
    "scalar-index-of-rank-5",
    "fatal",
    on="program",
    evidence=("rustnn/rustnn#173", f"{_WEBNN} (crbug 391672283)"),
    fix="Use a slice instead of an index:\nx[:, :, :, :, 2:3].squeeze(-1)",
)
def scalar_index_of_rank_5(program: Index) -> Iterator[Match]:
    """A single index is gathered from a tensor of rank 5."""
    for operation in program.of("gather"):
        kind = _type(program, operation, "indices")
        rank = len(program.input_shape(operation, "x"))
        if rank == _GREATEST_RANK and kind is not None and kind.ranked and not kind.shape:
            yield Match(operation.name, "`gather` with a scalar index from five axes")


@rule(
    "batch-norm-of-rank-5",
    "fatal",
    on="program",
    evidence=("pytorch/executorch#11701", f"{_WEBNN} (crbug 391566721)"),
    fix="It crashes off the CPU. Fold it into the convolution before it (eval mode), or reshape to rank 4.",
)
def batch_norm_of_rank_5(program: Index) -> Iterator[Match]:
    """A batch norm runs on a tensor of rank 5."""
    for operation in program.of("batch_norm"):
        if len(program.input_shape(operation, "x")) == _GREATEST_RANK:
            yield Match(operation.name, "`batch_norm` of five axes")


@rule(
    "output-becomes-state",
    "fatal",
    on="program",
    evidence=("https://github.com/apple/coremltools/commit/95efc1dd",),
    fix="Return another value than the one that is written to the state:\nself.cache.copy_(y); return y * 1",
)
def output_becomes_state(program: Index) -> Iterator[Match]:
    """The same value is an output and is written to a state."""
    for operation in program.of("write_state", "coreml_update_state"):
        parameter = "data" if "data" in operation.inputs else "value"
        name = program.name(operation, parameter)
        if name in program.function.block.outputs:
            yield Match(operation.name, f"`{name}` is an output and is written to a state")


@rule(
    "scalar-slice-update",
    "fatal",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS18/test_tensor_transformation.py (rdar 128221986)",),
    fix="Assign a slice of one element instead of a scalar:\nx[0:1] = value[None]",
)
def scalar_slice_update(program: Index) -> Iterator[Match]:
    """A scalar is assigned to a slice."""
    for operation in program.of("slice_update"):
        kind = _type(program, operation, "update")
        if kind is not None and kind.ranked and not kind.shape:
            yield Match(operation.name, "`slice_update` with a scalar")


@rule(
    "resize-to-its-own-size",
    "fatal",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS17/test_image_resizing.py (rdar 112418424)",),
    fix="Write the size out instead of 0, which means the input's own size.",
)
def resize_to_its_own_size(program: Index) -> Iterator[Match]:
    """A resize keeps a size by naming it 0."""
    for operation in program.of("resize"):
        shape = program.numbers(operation, "shape")
        if shape is not None and bool((shape == 0).any()):
            yield Match(operation.name, f"`resize` to {shape.reshape(-1).tolist()}")


@rule(
    "flexible-attention-mask",
    "fatal",
    on="program",
    evidence=(f"{FRONT_END_TESTS} (rdar 139460266)",),
    fix="Give the mask a fixed size, or write the attention as matmul, softmax and matmul.",
)
def flexible_attention_mask(program: Index) -> Iterator[Match]:
    """A fused attention has a mask of flexible size."""
    for operation in program.of("scaled_dot_product_attention"):
        name = program.name(operation, "attn_mask")
        if name is not None and None in program.shape(name):
            yield Match(operation.name, f"its mask is {program.types[name]}")


@rule(
    "scalar-input",
    "fatal",
    on="program",
    evidence=("microsoft/onnxruntime#24462",),
    fix="Core ML accepts no scalars. Give the input one axis of size 1:\nct.TensorType(shape=(1,))",
)
def scalar_input(program: Index) -> Iterator[Match]:
    """An input is a scalar."""
    for value in program.function.inputs:
        if isinstance(value.type, TensorType) and value.type.ranked and not value.type.shape:
            yield Match(value.name, f"`{value.name}` is {value.type}")


@rule(
    "byte-input",
    "fatal",
    on="program",
    evidence=(f"{FRONT_END_TESTS} (rdar 155895085)",),
    fix="Let the app pass floats or int32, and quantize inside the model.",
)
def byte_input(program: Index) -> Iterator[Match]:
    """An input or an output has a type of 8 bits."""
    results = [(name, program.types.get(name)) for name in program.function.block.outputs]
    for name, kind in [(value.name, value.type) for value in program.function.inputs] + results:
        if isinstance(kind, TensorType) and kind.dtype in {"int8", "uint8"}:
            yield Match(name, f"`{name}` is {kind}")


@rule(
    "flexible-mean-on-ios-15",
    "info",
    on="program",
    evidence=("apple/coremltools#1420",),
    fix="iOS 15.4 does not load it. Raise the deployment target to iOS 16, or fix the shape.",
)
def flexible_mean_on_ios_15(program: Index) -> Iterator[Match]:
    """A program for iOS 15 takes the mean of a tensor of flexible shape."""
    if program.function.opset > _IOS15:
        return
    for operation in program.of("reduce_mean"):
        shape = program.input_shape(operation, "x")
        if None in shape:
            yield Match(operation.name, f"`reduce_mean` of {_type(program, operation, 'x')}")


@rule(
    "state-on-the-engine",
    "info",
    on="package",
    evidence=(f"{FRONT_END_TESTS} (rdar 130912134)",),
    fix="coremltools' own tests of stateful models fail with CPU_AND_NE. Try the package on the device "
    "you ship to.",
)
def state_on_the_engine(package: Package) -> Iterator[Match]:
    """The model has a state, which the Neural Engine may not run."""
    for value in package.function().inputs:
        if isinstance(value.type, StateType):
            yield Match(value.name, f"`{value.name}` is a state")
