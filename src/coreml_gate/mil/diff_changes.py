"""Turns paired operations into changes in the terms of a model's author."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from coreml_gate.mil.diff import ChangeKind, Diff, Node, ProgramChange, ProgramOutline
from coreml_gate.mil.diff_matching import Graph, Matching, match

_DTYPE: Final = re.compile(r"\b(fp16|fp32)\b")
MOST_TYPES: Final = 5
"""How many operations of a region are named; the others are counted."""
LINEAR: Final = frozenset({"add", "batch_norm", "mul", "real_div", "sub"})
"""Operations that can be folded into the weights of a neighbour; an activation cannot."""


def diff(base: ProgramOutline, head: ProgramOutline) -> Diff:
    """The changes from ``base`` to ``head``; with swapped arguments, their mirror image."""
    return changes(match(base, head))


def changes(matching: Matching) -> Diff:
    """The changes between outlines whose operations are already paired."""
    base, head = matching.base, matching.head
    if base.outline == head.outline:
        return Diff(len(base.nodes), len(head.nodes), 0, ())
    pairs = [(base.nodes[one], head.nodes[other]) for one, other in matching.pairs()]
    found = [
        *_rewired(matching),
        *(change for pair in pairs for change in _changed(*pair)),
        *_moved(matching),
    ]
    renamed = sum(one.name != other.name for one, other in pairs)
    return Diff(len(base.nodes), len(head.nodes), renamed, tuple(found))


def _changed(base: Node, head: Node) -> Iterator[ProgramChange]:
    def change(kind: ChangeKind, text: str) -> ProgramChange:
        return ProgramChange(kind, head.module or base.module, (base.name,), (head.name,), text)

    before, after = (tuple(result.dtype for result in node.results) for node in (base, head))
    if before != after:
        yield change("re-typed", f"{' '.join(before)} to {' '.join(after)}")
    elif [result.type for result in base.results] != [result.type for result in head.results]:
        yield change("reshaped", head.type)
    if base.settings != head.settings:
        yield change("settings", head.type)
    if base.weights != head.weights and not (before != after and _same_but_for_type(base, head)):
        otherwise = [weight.form for weight in base.weights] != [weight.form for weight in head.weights]
        yield change("storage" if otherwise else "weights", head.type)


def _same_but_for_type(base: Node, head: Node) -> bool:
    """Whether weights may differ only in their element type, which is all that digests can show."""
    forms = ([_DTYPE.sub("", weight.form) for weight in node.weights] for node in (base, head))
    return next(forms) == next(forms)


def _moved(matching: Matching) -> Iterator[ProgramChange]:
    """Operations that read another operand than before, if both operands exist on both sides."""
    for one, other in matching.pairs():
        before, after = matching.base.operands[one], matching.head.operands[other]
        known = len(before) == len(after) and all(
            maker < 0 or maker in partners
            for makers, partners in ((before, matching.to_head), (after, matching.to_base))
            for maker, _ in makers
        )
        translated = tuple((matching.to_head.get(maker, maker), result) for maker, result in before)
        if known and translated != after:
            base, head = matching.base.nodes[one], matching.head.nodes[other]
            yield ProgramChange("moved", head.module or base.module, (base.name,), (head.name,), head.type)


@dataclass(frozen=True)
class _Region:
    """Connected operations without partners, and the paired ones around them, by their index in the head."""

    members: tuple[int, ...]
    operands: frozenset[tuple[int, int]]
    readers: frozenset[int]

    def stands_where(self, other: "_Region") -> bool:
        """Whether it has the same operations around it."""
        return self.operands == other.operands and self.readers == other.readers


def _rewired(matching: Matching) -> Iterator[ProgramChange]:
    """Pairs regions without partners: a region in the place of another was fused, split or replaced."""
    gone = _regions(matching.base, matching.to_head, matching.to_head)
    new = _regions(matching.head, matching.to_base, {index: index for index in matching.to_base})
    for region in gone:
        other = next((each for each in new if each.stands_where(region)), None)
        if other is not None:
            new.remove(other)
            yield _replaced(matching, region, other)
        else:
            yield from _alone("removed", matching.base, region, _folded_into(matching, region))
    for region in new:
        yield from _alone("added", matching.head, region, _unfolded_from(matching, region))


def _replaced(matching: Matching, gone: _Region, new: _Region) -> ProgramChange:
    before = [matching.base.nodes[index] for index in gone.members]
    after = [matching.head.nodes[index] for index in new.members]
    kind: ChangeKind = "replaced"
    text = f"{_types(before)} as {_types(after)}"
    if len(before) != len(after):
        kind = "fused" if len(before) > len(after) else "split"
    elif [node.type for node in before] == [node.type for node in after]:
        kind, text = "settings", _types(after)
    names = tuple(node.name for node in before), tuple(node.name for node in after)
    return ProgramChange(kind, after[0].module or before[0].module, *names, text)


def _alone(kind: ChangeKind, graph: Graph, region: _Region, into: Node | None) -> Iterator[ProgramChange]:
    nodes = [graph.nodes[index] for index in region.members]
    names = tuple(node.name for node in nodes)
    if into is not None:
        base, head = (names, (into.name,)) if kind == "removed" else ((into.name,), names)
        fused: ChangeKind = "fused" if kind == "removed" else "split"
        link = "into" if kind == "removed" else "out of"
        yield ProgramChange(fused, into.module, base, head, f"{_types(nodes)} {link} {into.type}")
        return
    for node in nodes:
        base, head = ((node.name,), ()) if kind == "removed" else ((), (node.name,))
        yield ProgramChange(kind, node.module, base, head, node.type)


def _folded_into(matching: Matching, region: _Region) -> Node | None:
    """The head's operation that absorbed a region: its weights changed, and the region's readers read it."""
    makers = {maker for maker, _ in region.operands}
    host = next(iter(makers)) if len(makers) == 1 else -1
    if host < 0 or not _reads_directly(matching.head, region.readers, host):
        return None
    before, after = matching.base.nodes[matching.to_base[host]], matching.head.nodes[host]
    return after if _took_over(before, after, matching.base, region) else None


def _unfolded_from(matching: Matching, region: _Region) -> Node | None:
    """The base's operation that a region was split from, by the same rule with the sides swapped."""
    makers = {maker for maker, _ in region.operands}
    host = next(iter(makers)) if len(makers) == 1 else -1
    readers = frozenset(matching.to_base[reader] for reader in region.readers)
    if host < 0 or not _reads_directly(matching.base, readers, matching.to_base[host]):
        return None
    before, after = matching.base.nodes[matching.to_base[host]], matching.head.nodes[host]
    return before if _took_over(before, after, matching.head, region) else None


def _took_over(before: Node, after: Node, graph: Graph, region: _Region) -> bool:
    """Whether new weights can include what a region computed, which must be linear in its operand."""
    linear = all(graph.nodes[index].type in LINEAR for index in region.members)
    return linear and before.weights != after.weights


def _reads_directly(graph: Graph, readers: frozenset[int], host: int) -> bool:
    return all(any(maker == host for maker, _ in graph.operands[reader]) for reader in readers)


def _types(nodes: list[Node]) -> str:
    shown = " + ".join(node.type for node in nodes[:MOST_TYPES])
    rest = len(nodes) - MOST_TYPES
    return f"{shown} and {rest} more" if rest > 0 else shown


def _regions(graph: Graph, paired: Mapping[int, int], to_head: Mapping[int, int]) -> list[_Region]:
    alone = [index for index in range(len(graph.nodes)) if index not in paired]
    found: list[_Region] = []
    seen: set[int] = set()
    for start in alone:
        if start not in seen:
            members = _connected(graph, start, paired)
            seen |= members
            found.append(_region(graph, sorted(members), to_head))
    return found


def _connected(graph: Graph, start: int, paired: Mapping[int, int]) -> set[int]:
    members, waiting = {start}, [start]
    while waiting:
        index = waiting.pop()
        around = {maker for maker, _ in graph.operands[index]} | {
            reader for reader, _, _ in graph.readers[index]
        }
        fresh = {each for each in around if each >= 0 and each not in paired and each not in members}
        members |= fresh
        waiting += fresh
    return members


def _region(graph: Graph, members: list[int], to_head: Mapping[int, int]) -> _Region:
    operands = {
        operand for index in members for operand in graph.operands[index] if operand[0] not in members
    }
    readers = {reader for index in members for reader, _, _ in graph.readers[index] if reader not in members}
    return _Region(
        tuple(members),
        frozenset((to_head.get(maker, maker), result) for maker, result in operands),
        frozenset(to_head[reader] for reader in readers),
    )
