"""One front-end pass for two packages: a conversion leaves its program, and the next one goes on from it.

The float32 twin and the package in half precision are the same program until the pass that makes operations
half (``common::add_fp16_cast``). So the first conversion keeps a copy of its program there, and the second
starts with that copy: the front end and the passes before run once. Everything else is coremltools' own code
in its own order, and what is saved has the same bytes as after two conversions.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder
from coremltools.converters.mil.converter import ConverterRegistry
from coremltools.converters.mil.mil import Var
from coremltools.converters.mil.mil.passes.graph_pass import AbstractGraphPass
from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY

from coreml_gate.untyped import CoreMlObject

_HALF: Final = "common::add_fp16_cast"
_HERE: Final = "coreml_gate::kept_program"
_FRONT_END: Final = "pytorch"
_PICKLE: Final = 4
"""The protocol from which slots are kept as well."""


class KeptProgram:
    """The program of one conversion as it was before the precision pass, for one more to go on from."""

    def __init__(self) -> None:
        self._program: CoreMlObject = None
        self._names: dict[str, int] = {}

    @contextmanager
    def kept(self, passes: ct.PassPipeline) -> Iterator[ct.PassPipeline]:
        """Passes of which a conversion within the block leaves its program here, where that is safe."""
        if not _can_be_split(passes):
            yield passes
            return
        with _at_the_half(passes, self._keep):
            yield passes

    @contextmanager
    def resumed(self, passes: ct.PassPipeline) -> Iterator[ct.PassPipeline]:
        """Passes of which a conversion within the block goes on from what was kept, or starts anew."""
        program, self._program = self._program, None
        if program is None:
            yield passes
            return

        def resume(_: CoreMlObject) -> None:
            program.skip_all_passes = False
            del program.validate
            Builder.name_count.clear()
            Builder.name_count.update(self._names)

        program.skip_all_passes, program.validate = True, _valid
        with _at_the_half(passes, resume), _front_end(program):
            yield passes

    def _keep(self, program: CoreMlObject) -> None:
        self._program = _copy(program)
        self._names = dict(Builder.name_count)
        program.validate = _valid  # from here on it is the twin's, which no plain conversion makes


def _valid(**_: object) -> None:
    """Stands for the check of the whole program that coremltools makes after each pass."""


def _can_be_split(passes: ct.PassPipeline) -> bool:
    """A pass of others may keep something besides the program, and the precision pass may be skipped."""
    named = (PASS_REGISTRY.passes.get(name) for name in passes.passes)
    return _HALF in passes.passes and all(str(item.__module__).startswith("coremltools.") for item in named)


@contextmanager
def _at_the_half(passes: ct.PassPipeline, do: Callable[[CoreMlObject], None]) -> Iterator[None]:
    """Calls with the program right before the precision pass; coremltools is as it was afterwards."""

    class Here(AbstractGraphPass):  # type: ignore[misc]  # coremltools has no types
        def __call__(self, prog: CoreMlObject) -> None:  # whether passes are skipped or not
            do(prog)

        def apply(self, prog: CoreMlObject) -> None:
            raise NotImplementedError

    PASS_REGISTRY.passes[_HERE] = Here
    passes.insert_pass(passes.passes.index(_HALF), _HERE)
    try:
        yield
    finally:
        passes.remove_passes({_HERE})
        del PASS_REGISTRY.passes[_HERE]


@contextmanager
def _front_end(program: CoreMlObject) -> Iterator[None]:
    """The front end gives this program, whatever it is to convert."""
    original = ConverterRegistry.frontends[_FRONT_END]
    ConverterRegistry.frontends[_FRONT_END] = lambda: lambda *_, **__: program
    try:
        yield
    finally:
        ConverterRegistry.frontends[_FRONT_END] = original


def _copy(program: CoreMlObject) -> CoreMlObject:
    """A deep copy that shares the constants' elements, which no pass from here on writes into.

    Operations and values are made before they are filled, so that a copy never goes from one to the next: a
    program of some thousand operations in a row would be deeper than Python's stack.
    """
    nodes = [node for function in program.functions.values() for node in _nodes(function)]
    copies = [object.__new__(type(node)) for node in nodes]
    known = {id(node): made for node, made in zip(nodes, copies, strict=True)}
    values = [node.val for node in nodes if isinstance(node, Var)]
    known |= {id(value): value for value in values if isinstance(value, np.ndarray)}
    for node, made in zip(nodes, copies, strict=True):
        for name, value in _attributes(node):
            setattr(made, name, copy.deepcopy(value, known))
    return copy.deepcopy(program, known)


def _nodes(block: CoreMlObject) -> Iterator[CoreMlObject]:
    for operation in block.operations:
        for inner in operation.blocks:
            yield from _nodes(inner)
        yield operation
        yield from operation.outputs


def _attributes(node: CoreMlObject) -> Iterator[tuple[str, CoreMlObject]]:
    """Whatever pickle would keep: operations have a dictionary, values have slots."""
    state = node.__reduce_ex__(_PICKLE)[2]
    for part in state if isinstance(state, tuple) else (state,):
        yield from (part or {}).items()
