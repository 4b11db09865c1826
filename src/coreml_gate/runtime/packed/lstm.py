"""Computes ``lstm`` by oneDNN's fused kernel, for which torch's ``lstm`` reorders weights in every call."""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from coreml_gate.runtime.packed.kernel import Constants, PackedKernel
from coreml_gate.runtime.registry import Body, Tensors
from coreml_gate.untyped import MilValue

_SEQUENCE_RANK = 3
_MODE_LSTM, _LAYERS = 2, 1
_BIASED, _BOTH_WAYS, _BATCH_FIRST, _TRAINS = True, False, False, False
_USUAL: Final = {"recurrent_activation": "sigmoid", "cell_activation": "tanh", "activation": "tanh"}
_UNUSUAL: Final = ("clip", "peephole", "peephole_back")


class PackedLstm(PackedKernel):
    """A layer with one or both directions, whose constants are packed together."""

    weight = "weight_ih"
    operands = ("x", "initial_h", "initial_c")

    def __init__(self, body: Body, constants: Constants, release: Callable[[], None]) -> None:
        super().__init__(body, constants, release)
        self._suffixes = ("", "_back") if constants.get("weight_ih_back") is not None else ("",)
        self._constants = constants
        self._reversed = constants.get("direction", "forward") == "reverse"
        self._gives_sequence: bool = constants.get("output_sequence", False)
        self._hidden: int = constants["weight_hh"].shape[-1]
        self._biases = [self._bias(suffix) for suffix in self._suffixes]
        self._ways: list[Tensors] = []

    def pays(self, x: Tensor) -> bool:
        """Whether it is torch's cell, on a sequence with as many features as the weight takes."""
        given = self._constants
        usual = all(given.get(name, default) == default for name, default in _USUAL.items())
        plain = all(given.get(name) is None for name in _UNUSUAL)
        return usual and plain and x.ndim == _SEQUENCE_RANK and self._fits(x.shape[-1])

    def _fits(self, features: int) -> bool:
        """Whether the constants have the shapes that the kernel assumes without checking."""
        if not self._hidden or not features:
            return False  # the kernel divides by them, which ends the process (SIGFPE)
        rows = 4 * self._hidden
        wanted = {"weight_ih": (rows, features), "weight_hh": (rows, self._hidden), "bias": (rows,)}
        given = [(name, self._constants.get(name + way)) for name in wanted for way in self._suffixes]
        return all(value is None or value.shape == wanted[name] for name, value in given)

    def __call__(self, x: Tensor, *rest: MilValue) -> MilValue:
        """States (only the last without ``output_sequence``), last hidden state, last cell state."""
        h, c = rest[:2]
        wanted = torch.Size((x.shape[1], self._hidden * len(self._suffixes)))
        fits = h.dtype is c.dtype is torch.float32 and h.shape == c.shape == wanted
        return self.compute(x, h, c) if fits and self.serves(x) else self._plain(x, h, c)

    def compute(self, x: Tensor, *starts: Tensor) -> MilValue:
        """The three results by oneDNN."""
        self.weight_for(x)
        h, c = (start.contiguous().chunk(len(self._ways), -1) for start in starts)
        steps = (x.flip(0) if self._reversed else x).contiguous()
        ran = [self._way(place, steps, h[place], c[place]) for place in range(len(self._ways))]
        states, last_h, last_c = (torch.cat(parts, -1) for parts in zip(*ran, strict=True))
        return (states if self._gives_sequence else last_h[None]), last_h, last_c

    def _way(self, place: int, x: Tensor, h: Tensor, c: Tensor) -> Tensors:
        """One direction; the second reads from the end and returns its states in the input's order."""
        start = (h.contiguous(), c.contiguous())
        order: list[int] = []  # of sequences of different lengths
        how = (
            place == 1,
            order,
            _MODE_LSTM,
            self._hidden,
            _LAYERS,
            _BIASED,
            _BOTH_WAYS,
            _BATCH_FIRST,
            _TRAINS,
        )
        kernel: Body = torch.mkldnn_rnn_layer
        states, last_h, last_c, _ = kernel(x, *self._ways[place], *start, *how)
        return states, last_h.reshape(h.shape), last_c.reshape(c.shape)

    def pack(self, x: Tensor) -> Tensor:
        """The weights of the input and of the state, of each direction."""
        door = torch.ops.mkldnn._reorder_mkldnn_rnn_layer_weight  # noqa: SLF001  # torch has no public one
        for place, (suffix, bias) in enumerate(zip(self._suffixes, self._biases, strict=True)):
            weights = (self._constants[f"{name}{suffix}"] for name in ("weight_ih", "weight_hh"))
            packed = door(*weights, self._hidden, place == 1, _BIASED, _BATCH_FIRST, list(x.shape))
            self._ways.append((*packed, bias, torch.zeros_like(bias)))
        return self._ways[0][0]

    def _bias(self, suffix: str) -> Tensor:
        bias: Tensor | None = self._constants.get(f"bias{suffix}")
        return torch.zeros(4 * self._hidden) if bias is None else bias
