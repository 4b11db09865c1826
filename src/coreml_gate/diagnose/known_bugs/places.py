"""Bugs that put elements in the wrong place: writes through views, slices, diagonals and windows."""

from typing import Final

from coreml_gate.diagnose.known_bugs.bug import ALL, EXPORTS, KnownBug
from coreml_gate.diagnose.torch_calls import Fits, TorchArguments


def _negative(name: str) -> Fits:
    """Whether an argument is negative."""

    def fits(call: TorchArguments) -> bool:
        operand, value = call.operand(name), call.constant(name, 0)
        return operand.least < 0 if operand is not None else isinstance(value, int | float) and value < 0

    return fits


def _written_through_a_view(call: TorchArguments) -> bool:
    """Whether the operation writes into a part of another tensor."""
    operand = call.operand()
    return operand is None or operand.view


PLACES: Final = (
    KnownBug(
        id="diagonal-matrix",
        torch_operations=("diagonal",),
        routes=EXPORTS,
        what="the diagonal becomes a matrix with zeros off the diagonal",
        workaround="(x * torch.eye(n)).sum(-1)",
        example="return torch.diagonal(x[0, :, :3])",
        issue="apple/coremltools#2565",
    ),
    KnownBug(
        id="negative-narrow",
        torch_operations=("narrow",),
        routes=("trace",),
        when=_negative("start"),
        what="a negative start that reaches the end gives an empty slice",
        workaround="x[..., -1:]",
        example="return x.narrow(-1, -1, 1)",
        issue="apple/coremltools#2774",
    ),
    KnownBug(
        id="lost-write",
        torch_operations=tuple(
            f"{name}_"
            for name in ("add", "sub", "mul", "div", "relu", "clamp", "masked_fill", "sigmoid", "neg", "exp")
        ),
        routes=("trace",),
        when=_written_through_a_view,
        what="an in-place write through a view changes only the view",
        workaround='conversion = "export", or join the parts with torch.cat',
        example="z = x.clone()\nz[:, 0].add_(1)\nreturn z * 1",
        issue="apple/coremltools#2188",
    ),
    KnownBug(
        id="misplaced-write",
        torch_operations=("fill", "copy", "_internal_op_tensor_inplace_fill", "zero"),
        routes=("trace",),
        when=_written_through_a_view,
        what="a value written to a slice of a later axis is written to other elements too",
        workaround='conversion = "export", or torch.where with a mask',
        example="z = x.clone()\nz[..., -1] = 1\nreturn z * 1",
    ),
    KnownBug(
        id="ceil-average",
        torch_operations=("avg_pool1d", "avg_pool2d"),
        routes=ALL,
        what="where ceil_mode lets a window leave the input, Core ML divides by the whole kernel",
        workaround="count_include_pad=False",
        example="return F.avg_pool1d(x, 2, 3, ceil_mode=True)",
        issue="apple/coremltools#2844",
    ),
)
