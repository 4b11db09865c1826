"""A captured torch graph as plain frozen values: what the converter was given, readable without torch."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from coreml_gate.frozen import FrozenModel

GRAPH = "graph.json"
"""Where the graph lies in the folder of its packages."""

Scalar = bool | int | float | str | None
Constant = Scalar | tuple[Scalar, ...]
Support = Literal["works", "missing", "broken"]
"""Whether coremltools has a converter for an operation, and whether that one can work at all."""


class GraphPart(FrozenModel):
    """The form of every part of a graph: it is cached as JSON beside the package."""

    model_config = ConfigDict(allow_inf_nan=True, ser_json_inf_nan="strings")


class TorchCall(GraphPart):
    """One operation of the graph."""

    name: str
    """Of the value that it gives."""
    operation: str
    """``aten::sub``, without the overload."""
    overload: str = ""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Tensor arguments: name of the value by parameter."""
    parameters: tuple[str, ...] = ()
    """Of all arguments, in the order of the operation's own schema."""
    constants: dict[str, Constant] = Field(default_factory=dict)
    """Other arguments by parameter; those left at their default are there as well where torch names them."""
    dtype: str = ""
    """Element type of the result; empty where it is not a tensor, or not known."""
    shape: tuple[int, ...] | None = None
    """``None`` where it is not known before it runs."""
    module: str = ""
    """Path of the innermost module that calls it, as ``layers.0.attn``."""
    file: str = ""
    """Relative to the measured tree; empty where the call comes from a library."""
    line: int | None = None
    support: Support = "works"
    unread: dict[str, str] = Field(default_factory=dict)
    """Arguments that decide the result and that the converter never looks at, with their values."""

    @property
    def place(self) -> str:
        """``models/net.py:12``; empty where the call comes from a library."""
        return f"{self.file}:{self.line}" if self.file else ""


class TorchGraph(GraphPart):
    """All operations in order, those of nested blocks included."""

    route: Literal["export", "trace"]
    calls: tuple[TorchCall, ...]
    outputs: tuple[str, ...] = ()
    frozen_places: tuple[str, ...] = ()
    """``file:line`` where tracing made a tensor a constant of the program."""
    filled_states: tuple[str, ...] = ()
    """Buffers that forward changes and that do not start at zero."""


def write_graph(graph: TorchGraph, path: Path) -> None:
    """Keeps a graph beside its packages."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(graph.model_dump_json(exclude_defaults=True) + "\n", encoding="utf-8")


def read_graph(path: Path | None) -> TorchGraph | None:
    """The graph that was kept; ``None`` when there is none, as beside a package that is its own source."""
    if path is None or not path.is_file():
        return None
    return TorchGraph.model_validate_json(path.read_text(encoding="utf-8"))
