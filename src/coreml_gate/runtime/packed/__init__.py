"""Operations whose constant weights are laid out once for oneDNN, instead of in every run.

torch's own ``conv2d`` reorders weights and both ends of each layer in every call, and its ``linear`` leaves
the product to MKL, which on AMD's processors takes twice as long. A packed kernel reads and writes channels
last, so that one convolution hands over to the next without a reorder. Where oneDNN is missing (macOS on
arm64) nothing is packed, and the operation's own body computes.
"""

from collections.abc import Mapping

from coreml_gate.runtime.packed.convolution import PackedConvolution
from coreml_gate.runtime.packed.kernel import Constants, ExtensibleKernel, PackedKernel
from coreml_gate.runtime.packed.linear import PackedLinear, PackedMatmul
from coreml_gate.runtime.packed.lstm import PackedLstm
from coreml_gate.runtime.packed.onednn import After, available
from coreml_gate.runtime.packed.transposed import PackedTransposedConvolution

PACKED: Mapping[str, type[PackedKernel]] = {
    "conv": PackedConvolution,
    "conv_transpose": PackedTransposedConvolution,
    "linear": PackedLinear,
    "lstm": PackedLstm,
    "matmul": PackedMatmul,
}
"""By operation type; all other parameters than a kernel's ``operands`` are constant."""

__all__ = [
    "PACKED",
    "After",
    "Constants",
    "ExtensibleKernel",
    "PackedKernel",
    "PackedLinear",
    "PackedLstm",
    "available",
]
