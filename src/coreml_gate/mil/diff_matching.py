"""Pairs the operations of two outlines.

Names are counters of the converter (``linear_3``): an inserted layer renames all that follow. So names count
last. The steps, in this order, each use what earlier ones left unpaired, and are followed by spreading from
matched operands to the operations that read them in the same way:

1. the same computation, weights included: from the inputs on, or from the outputs backwards;
2. the same weights;
3. the same computation without weights, from the inputs on, or from the outputs backwards;
4. the same name and type.

Another precision adds and removes ``cast`` operations everywhere. So all steps skip them, and names are
compared without the suffixes that the converter adds for a precision.

Where several operations share a key, they are paired in order if both sides have equally many; otherwise the
key is not used. Every step treats both sides alike, so swapping them gives the same pairs.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from coreml_gate.mil.diff import Node, ProgramOutline

_CAST: Final = "cast"
_PRECISION: Final = re.compile(r"(_cast_(fp16|fp32|u?int16|int32)|_to_(fp16|fp32|u?int16))+$")

Key = Hashable
_Keys = Callable[["Graph", int], Key | None]


@dataclass(frozen=True)
class Graph:
    """An outline with its wiring by index; an input of the function is ``(-1, its position)``."""

    outline: ProgramOutline

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The operations by index."""
        return self.outline.nodes

    @cached_property
    def makers(self) -> Mapping[str, tuple[int, int]]:
        """The origin of each value: index of the operation and index of the result."""
        found = {name: (-1, position) for position, name in enumerate(self.outline.inputs)}
        for index, node in enumerate(self.nodes):
            found.update({result.name: (index, place) for place, result in enumerate(node.results)})
        return found

    @cached_property
    def operands(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """The operands of each operation, skipping casts and values without an origin."""
        return tuple(
            tuple(self._through_casts(name) for name in node.reads if name in self.makers)
            for node in self.nodes
        )

    def _through_casts(self, name: str) -> tuple[int, int]:
        maker = self.makers[name]
        while maker[0] >= 0 and self.nodes[maker[0]].type == _CAST:
            below = next((read for read in self.nodes[maker[0]].reads if read in self.makers), None)
            if below is None or self.makers[below][0] >= maker[0]:  # a foreign Record may hold a circle
                break
            maker = self.makers[below]
        return maker

    @cached_property
    def readers(self) -> tuple[tuple[tuple[int, int, int], ...], ...]:
        """The readers of each operation: their index, the operand's index, and the result's index."""
        found: list[list[tuple[int, int, int]]] = [[] for _ in self.nodes]
        for index, operands in enumerate(self.operands):
            for place, (maker, result) in enumerate(operands):
                if maker >= 0:
                    found[maker].append((index, place, result))
        return tuple(map(tuple, found))

    @cached_property
    def rising(self) -> tuple[str, ...]:
        """Fingerprints from the inputs on, without weights."""
        return self._rising(weights=False)

    @cached_property
    def rising_with_weights(self) -> tuple[str, ...]:
        """Fingerprints from the inputs on, weights included."""
        return self._rising(weights=True)

    @cached_property
    def falling(self) -> tuple[str, ...]:
        """Fingerprints from the outputs backwards, without weights."""
        return self._falling(weights=False)

    @cached_property
    def falling_with_weights(self) -> tuple[str, ...]:
        """Fingerprints from the outputs backwards, weights included."""
        return self._falling(weights=True)

    def _falling(self, *, weights: bool) -> tuple[str, ...]:
        outputs = {
            self._through_casts(name): place
            for place, name in enumerate(self.outline.outputs)
            if name in self.makers
        }
        found = [""] * len(self.nodes)
        for index in reversed(range(len(self.nodes))):
            node = self.nodes[index]
            ends = [(place, outputs.get((index, place))) for place in range(len(node.results))]
            above = sorted((found[reader], place, result) for reader, place, result in self.readers[index])
            found[index] = _hash(node.type, node.settings, ends, above, node.weights if weights else ())
        return tuple(found)

    def _rising(self, *, weights: bool) -> tuple[str, ...]:
        found: list[str] = []
        for node, operands in zip(self.nodes, self.operands, strict=True):
            below = [(found[maker] if 0 <= maker < len(found) else "", result) for maker, result in operands]
            found.append(_hash(node.type, node.settings, below, node.weights if weights else ()))
        return tuple(found)


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass
class Matching:
    """Pairs of indices, both ways."""

    base: Graph
    head: Graph
    to_head: dict[int, int] = field(default_factory=dict)
    to_base: dict[int, int] = field(default_factory=dict)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Base and head indices, in the order of the head."""
        yield from ((base, head) for head, base in sorted(self.to_base.items()))

    def join(self, base: int, head: int) -> None:
        """Add a pair."""
        self.to_head[base] = head
        self.to_base[head] = base


def match(base: ProgramOutline, head: ProgramOutline) -> Matching:
    """Pair the operations of two outlines; those without a partner were added, removed, fused or split."""
    found = Matching(Graph(base), Graph(head))
    if base == head:  # most models of most changes: the steps would pair each operation with itself
        for number in range(len(head.nodes)):
            found.join(number, number)
        return found
    for key, weights in _STEPS:
        _pair(found, key, key)
        _spread(found, weights=weights)
    return found


def partners(found: Matching) -> dict[str, str]:
    """The base's operation for each of the head's, by plain name; empty if there is none."""
    return {
        plain_name(node.name): plain_name(found.base.nodes[found.to_base[number]].name)
        if number in found.to_base
        else ""
        for number, node in enumerate(found.head.nodes)
    }


def plain_name(name: str) -> str:
    """An operation's name without the suffixes that the converter gives it for a precision."""
    return _PRECISION.sub("", name)


def _weights_of(graph: Graph, index: int) -> Key | None:
    node = graph.nodes[index]
    return (node.type, node.settings, node.weights) if node.weights else None


_STEPS: Sequence[tuple[_Keys, bool]] = (
    (lambda graph, index: graph.rising_with_weights[index], True),
    (lambda graph, index: graph.falling_with_weights[index], True),
    (_weights_of, True),
    (lambda graph, index: graph.rising[index], False),
    (lambda graph, index: graph.falling[index], False),
    (lambda graph, index: (plain_name(graph.nodes[index].name), graph.nodes[index].type), False),
)
"""The key of each step, and whether spreading from it requires equal weights."""


def _pair(found: Matching, base_key: _Keys, head_key: _Keys) -> bool:
    base = _groups(found.base, found.to_head, base_key)
    head = _groups(found.head, found.to_base, head_key)
    grown = False
    for key, members in base.items():
        others = head.get(key, [])
        if len(members) == len(others):
            grown = True
            for pair in zip(members, others, strict=True):
                found.join(*pair)
    return grown


def _groups(graph: Graph, done: Mapping[int, int], key_of: _Keys) -> Mapping[Key, list[int]]:
    groups: dict[Key, list[int]] = defaultdict(list)
    for index in range(len(graph.nodes)):
        key = None if index in done else key_of(graph, index)
        if key is not None:
            groups[key].append(index)
    return groups


def _spread(found: Matching, *, weights: bool) -> None:
    """Pair operations of one type and the same settings whose operands are all paired, until none is left."""

    def base_key(graph: Graph, index: int) -> Key | None:
        operands = graph.operands[index]
        paired = all(maker < 0 or maker in found.to_head for maker, _ in operands)
        translated = tuple((found.to_head.get(maker, maker), result) for maker, result in operands)
        return _local(graph, index, translated, weights=weights) if paired and operands else None

    def head_key(graph: Graph, index: int) -> Key | None:
        operands = graph.operands[index]
        paired = all(maker < 0 or maker in found.to_base for maker, _ in operands)
        return _local(graph, index, operands, weights=weights) if paired and operands else None

    while _pair(found, base_key, head_key):
        pass


def _local(graph: Graph, index: int, operands: tuple[tuple[int, int], ...], *, weights: bool) -> Key:
    node = graph.nodes[index]
    return (node.type, node.settings, operands, node.weights if weights else ())
