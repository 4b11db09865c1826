"""A captured torch graph, the converter's input, as frozen values that can be read without torch."""

import re
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from coreml_gate.frozen import FrozenModel

GRAPH = "graph.json"
"""File name of the graph, beside its packages."""

_UNFIT = re.compile(r"[^a-zA-Z0-9_]")
Scalar = bool | int | float | str | None
Constant = Scalar | tuple[Scalar, ...]
Support = Literal["works", "missing", "broken"]
"""Whether coremltools has a converter for an operation, and whether that converter can work at all."""


class GraphPart(FrozenModel):
    """Base class of the parts of a graph, which is cached as JSON beside the package."""

    model_config = ConfigDict(allow_inf_nan=True, ser_json_inf_nan="strings")


class TorchCall(GraphPart):
    """One operation of the graph."""

    name: str
    """Name of its result."""
    operation: str
    """Such as ``aten::sub``, without the overload."""
    overload: str = ""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Tensor arguments: names of values by parameter."""
    parameters: tuple[str, ...] = ()
    """Names of all arguments, in the order of the operation's schema."""
    constants: dict[str, Constant] = Field(default_factory=dict)
    """Other arguments by parameter, including defaults that torch writes out."""
    dtype: str = ""
    """Element type of the result; empty if it is not a tensor or not known."""
    shape: tuple[int, ...] | None = None
    """``None`` if it is known only at run time."""
    module: str = ""
    """Path of the innermost module that calls it, such as ``layers.0.attn``."""
    file: str = ""
    """Relative to the measured tree; empty if the call comes from a library."""
    line: int | None = None
    support: Support = "works"
    unread: dict[str, str] = Field(default_factory=dict)
    """Arguments that affect the result but that the converter ignores, with their values."""

    @property
    def place(self) -> str:
        """Such as ``models/net.py:12``; empty if the call comes from a library."""
        return f"{self.file}:{self.line}" if self.file else ""


class TorchGraph(GraphPart):
    """All operations in order, including those of nested blocks."""

    route: Literal["export", "trace"]
    calls: tuple[TorchCall, ...]
    outputs: tuple[str, ...] = ()
    frozen_places: dict[str, str] = Field(default_factory=dict)
    """By ``file:line`` where tracing turned a tensor into a constant, the function that was called there."""
    filled_states: tuple[str, ...] = ()
    """Buffers that ``forward`` changes and that do not start at zero."""

    def convolutions(self) -> dict[str, str]:
        """The module of the convolution that comes before a value, by the value's name in a package.

        The converter gives a convolution into which it folds a batch norm, a bias or a scale the name of
        that later operation, and weights of its own.
        """
        found: dict[str, str] = {}
        for call in self.calls:
            before = next((found[name] for name in call.inputs.values() if name in found), "")
            found[call.name] = call.module if "conv" in call.operation else before
        return {saved_name(name): module for name, module in found.items() if module}


def saved_name(name: str) -> str:
    """The name of a value in a saved package."""
    clean = _UNFIT.sub("_", name)
    return f"var_{clean}" if clean[0].isdigit() else clean


def write_graph(graph: TorchGraph, path: Path) -> None:
    """Write a graph beside its packages."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(graph.model_dump_json(exclude_defaults=True) + "\n", encoding="utf-8")


def read_graph(path: Path | None) -> TorchGraph | None:
    """The stored graph, or ``None``: a package that is its own source has none."""
    if path is None or not path.is_file():
        return None
    return TorchGraph.model_validate_json(path.read_text(encoding="utf-8"))
