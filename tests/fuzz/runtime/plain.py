"""Programs compiled without what the runtime recognises: what every other plan has to give."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from coreml_gate.mil.ir import Block, Function
from coreml_gate.runtime import compile as compiling
from coreml_gate.runtime.plan import ExecutionPlan
from coreml_gate.runtime.precision import Mode


class NoPacker:
    """In the place of ``Packer``: every operation keeps its own body."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def kernel(self, *_: Any, **__: Any) -> None: ...


class NoLayers:
    """In the place of ``RecurrentLayers``: operations stay one by one."""

    def __init__(self, block: Block, *_: Any, **__: Any) -> None:
        self.block = block

    def call(self, *_: Any, **__: Any) -> None: ...


def variant(function: Function, mode: Mode, *, packs: bool = False, layers: bool = False) -> ExecutionPlan:
    """The plan with one family of the runtime's forms, or with none; what is fused stays in ``unwatched``."""
    with ExitStack() as stack:
        if not packs:
            stack.enter_context(mock.patch.object(compiling, "Packer", NoPacker))
        if not layers:
            stack.enter_context(mock.patch.object(compiling, "RecurrentLayers", NoLayers))
        return compiling.compile_function(function, mode)


def plain(function: Function, mode: Mode) -> ExecutionPlan:
    """Every operation of the program by its own body, one after the other."""
    return replace(variant(function, mode), unwatched=None)


_THRESHOLDS: Mapping[str, str] = {
    "coreml_gate.runtime.fusion.activations": "LEAST_ELEMENTS",
    "coreml_gate.runtime.packed.convolution": "LEAST_PRODUCTS",
    "coreml_gate.runtime.packed.linear": "LEAST_PRODUCTS",
    "coreml_gate.runtime.packed.transposed": "LEAST_PRODUCTS",
}
MOST_BY_MATRIX = "coreml_gate.runtime.packed.convolution.MOST_BY_MATRIX"


@contextmanager
def small_layers_count(*, by_matrix: bool = True) -> Iterator[None]:
    """Within, layers of a few elements are packed and fused as large ones are."""
    with ExitStack() as stack:
        for module, name in _THRESHOLDS.items():
            stack.enter_context(mock.patch(f"{module}.{name}", 1))
        if not by_matrix:
            stack.enter_context(mock.patch(MOST_BY_MATRIX, 0))
        yield
