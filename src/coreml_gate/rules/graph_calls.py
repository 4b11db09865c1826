"""Calls of a captured torch graph, and the matches that point at them."""

from collections.abc import Iterable, Iterator

from coreml_gate.rules.rule import Match
from coreml_gate.torch_graph import TorchCall, TorchGraph


def match_at(call: TorchCall, text: str) -> Match:
    """A match at the module and the line of a call."""
    return Match(call.module or call.name, text, call.file, call.line)


def calls_of(graph: TorchGraph, names: Iterable[str]) -> Iterator[TorchCall]:
    """The calls of these operations, in the order of the graph."""
    wanted = frozenset(names)
    return (call for call in graph.calls if call.operation in wanted)
