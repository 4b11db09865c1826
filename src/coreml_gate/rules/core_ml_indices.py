"""Gather, scatter, slices and states: what Core ML rejects or computes wrongly, by system and unit."""

from collections.abc import Iterator
from typing import Final

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Operation, StateType, TensorType
from coreml_gate.rules.evidence import FRONT_END_TESTS, MIL_TESTS
from coreml_gate.rules.rule import Match, rule

_TOOLS: Final = "https://github.com/apple/coremltools/blob/9.0/coremltools"
_BUILDERS: Final = (
    "https://github.com/microsoft/onnxruntime/tree/main/onnxruntime/core/providers/coreml/builders/impl"
)
_IOS17: Final = 17
_IOS18: Final = 18
_ALIGNED: Final = 32
_CROSS_CHIP: Final = "https://github.com/sbryngelson/ane-guide (part-3-performance/12-cross-chip.md)"
_GUIDE: Final = "https://github.com/sbryngelson/ane-guide (part-1-machine/03-numerics.md)"
_SHAPING: Final = frozenset({"reshape", "flatten2d", "cast"})


@rule(
    "missing-validate-indices",
    "fatal",
    on="program",
    evidence=(
        f"{FRONT_END_TESTS}/test_torch_quantization_ops.py (rdar 106152706)",
        f"{_BUILDERS}/gather_nd_op_builder.cc",
    ),
    fix="Core ML fails to parse the operation, although MIL declares `validate_indices` optional. Write "
    "it out:\n"
    "mb.gather(x=x, indices=i, axis=0, validate_indices=False)",
)
def missing_validate_indices(program: Index) -> Iterator[Match]:
    """A gather of iOS 17 has no `validate_indices`."""
    if program.function.opset < _IOS17:
        return
    for operation in program.of("gather", "gather_nd"):
        if "validate_indices" not in operation.inputs:
            yield Match(operation.name, f"`{operation.type}` without validate_indices")


@rule(
    "gather-nd-at-run-time",
    "info",
    on="program",
    evidence=(f"{_BUILDERS}/gather_nd_op_builder.cc",),
    fix="For some shapes Core ML then returns the first slice, whatever the index. Index along one axis:\n"
    "x.flatten(0, 1)[i * x.shape[1] + j]",
)
def gather_nd_at_run_time(program: Index) -> Iterator[Match]:
    """The indices of a gather_nd are computed while the model runs."""
    for operation in program.of("gather_nd"):
        if program.name(operation, "indices") in program.varying:
            yield Match(operation.name, "`gather_nd` at computed indices")


@rule(
    "scatter-nd-at-run-time",
    "info",
    on="program",
    evidence=(f"{FRONT_END_TESTS}/test_torch_ops.py (rdar 133476254)",),
    fix="coremltools' own tests of index_put with computed negative indices fail from iOS 17 on. Keep the "
    "indices non-negative:\n"
    "indices % size",
)
def scatter_nd_at_run_time(program: Index) -> Iterator[Match]:
    """A program for iOS 17 or later scatters at computed indices."""
    if program.function.opset < _IOS17:
        return
    for operation in program.of("scatter_nd"):
        if program.name(operation, "indices") in program.varying:
            yield Match(operation.name, "`scatter_nd` at computed indices")


@rule(
    "slice-update-with-a-step",
    "info",
    on="program",
    evidence=(f"{FRONT_END_TESTS}/test_torch_ops.py (rdar 133494070)",),
    fix="coremltools' own test of this fails on Core ML, but passes on BNNS. Write every element, or use "
    "a deployment target before iOS 18.",
)
def slice_update_with_a_step(program: Index) -> Iterator[Match]:
    """A slice with a step greater than 1 is assigned to."""
    for operation in program.of("slice_update"):
        stride = program.numbers(operation, "stride")
        if stride is not None and bool((abs(stride) > 1).any()):
            yield Match(operation.name, f"`slice_update` with a stride of {stride.reshape(-1).tolist()}")


@rule(
    "slice-update-off-the-cpu",
    "info",
    on="program",
    evidence=(f"{FRONT_END_TESTS}/test_torch_ops.py (rdar 128024502)",),
    fix="coremltools' own tests of slice assignment fail off the CPU. Compare the compute units on your "
    "device.",
)
def slice_update_off_the_cpu(program: Index) -> Iterator[Match]:
    """A slice of a tensor is assigned to."""
    for operation in program.of("slice_update"):
        if not _is_state(program, operation):
            yield Match(operation.name, "`slice_update` outside of a state")


def _is_state(program: Index, operation: Operation) -> bool:
    """Whether the updated value is that of a state."""
    maker = program.maker(operation, "x")
    return maker is not None and maker.type in {"read_state", "coreml_update_state"}


@rule(
    "slices-of-a-state",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS18/test_states.py (rdar 138957299)",),
    fix="Apple reports a regression in Core ML for slices that are written to a state. Compare several "
    "predictions in a row on your device.",
)
def slices_of_a_state(program: Index) -> Iterator[Match]:
    """A slice of a state is assigned to."""
    for operation in program.of("slice_update"):
        if _is_state(program, operation):
            yield Match(operation.name, "`slice_update` of a state")


@rule(
    "flexible-state",
    "info",
    on="program",
    evidence=(f"{_TOOLS}/test/ml_program/test_utils.py (rdar 138957606)",),
    fix="Apple reports a regression in Core ML for states together with flexible inputs. Ship one "
    "function per shape.",
)
def flexible_state(program: Index) -> Iterator[Match]:
    """The model has a state and inputs of flexible shape."""
    inputs = program.function.inputs
    if not any(isinstance(value.type, StateType) for value in inputs):
        return
    for value in inputs:
        if isinstance(value.type, TensorType) and None in value.type.shape:
            yield Match(value.name, f"`{value.name}` is {value.type} beside a state")


@rule(
    "unaligned-state",
    "silent",
    on="program",
    evidence=("apple/coremltools#2631",),
    fix="A stateful model with rows of 270 failed on the Neural Engine, one with rows of 256 worked. Pad the "
    f"last axis of the state to a multiple of {_ALIGNED}, or exclude the Neural Engine:\n"
    'compute-units = "CPU_AND_GPU"',
)
def unaligned_state(program: Index) -> Iterator[Match]:
    """The last axis of a state is not a multiple of 32."""
    for value in program.function.inputs:
        if not isinstance(value.type, StateType):
            continue
        last = value.type.wrapped.shape[-1] if value.type.wrapped.shape else None
        if last is not None and last > _ALIGNED and last % _ALIGNED:
            yield Match(value.name, f"state `{value.name}` has rows of {last}")


@rule(
    "flattened-extreme",
    "info",
    on="program",
    evidence=("pytorch/executorch#11715",),
    fix="Core ML crashes occasionally in a search over all elements. Search along one axis:\n"
    "x.flatten(1).argmax(-1)",
)
def flattened_extreme(program: Index) -> Iterator[Match]:
    """An argmax or argmin runs over all elements."""
    for operation in program.of("reduce_argmax", "reduce_argmin"):
        name = program.name(operation, "x") or ""
        maker = program.producers.get(name)
        if len(program.shape(name)) == 1 and maker is not None and maker.type in _SHAPING:
            yield Match(operation.name, f"`{operation.type}` of a flattened value")


@rule(
    "strided-slice-before-ios-17",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_tensor_transformation.py (test_slice_by_index: fixed in macOS 14)",),
    fix="Before iOS 17 and macOS 14, Core ML computes such a slice wrongly. Raise the deployment target, "
    "or move the axis:\n"
    "x.mT[..., ::2, :].mT",
)
def strided_slice_before_ios_17(program: Index) -> Iterator[Match]:
    """A program for iOS 16 or earlier takes a strided slice of part of its last axis."""
    if program.function.opset >= _IOS17:
        return
    for operation in program.of("slice_by_index"):
        stride, end = program.numbers(operation, "stride"), program.numbers(operation, "end")
        shape = program.input_shape(operation, "x")
        if stride is None or end is None or not shape or len(shape) != stride.size:
            continue
        if int(stride.flat[-1]) > 1 and shape[-1] is not None and 0 < int(end.flat[-1]) < shape[-1]:
            yield Match(operation.name, f"the last axis to {int(end.flat[-1])} by {int(stride.flat[-1])}")


@rule(
    "slice-beyond-4094",
    "info",
    on="program",
    evidence=(_GUIDE, _CROSS_CHIP),
    fix="The Neural Engine of A13, A14, M1 and M2 multiplies such a slice by 16 internally, so values "
    "above 4094 become infinite. Scale the values down before, or slice another axis:\n"
    "x.mT[..., 8:, :].mT",
)
def slice_beyond_4094(program: Index) -> Iterator[Match]:
    """An FP16 slice starts after the first element of the last axis."""
    for operation in program.of("slice_by_index"):
        begin, masked = program.numbers(operation, "begin"), program.numbers(operation, "begin_mask")
        if begin is None or not program.is_half(operation) or (masked is not None and masked.flat[-1]):
            continue
        if begin.flat[-1] != 0:
            yield Match(operation.name, f"the last axis from {int(begin.flat[-1])}")
