"""The changes between two programs: operations added, removed, fused, moved or re-typed, and new weights.

Works on outlines (``outline.py``), so two stored Records can be compared without their packages.
``diff_matching.py`` pairs the operations.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from coreml_gate.errors import RecordError

_FIELDS: Final = 7
_FIRST_NODE: Final = 2
"""The index of the first line after those of inputs and outputs."""
_UNIT: Final = "\t"
_ITEM: Final = ";"
_PART: Final = "="


@dataclass(frozen=True, slots=True)
class Result:
    """A result of an operation, and its type as text: ``fp16[1, 8]``."""

    name: str
    type: str

    @property
    def dtype(self) -> str:
        """The element type alone."""
        return self.type.partition("[")[0]


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight of an operation: its parameter, its stored form (``lut_to_dense fp16[8, 4]``), its digest."""

    parameter: str
    form: str
    digest: str


@dataclass(frozen=True, slots=True)
class Node:
    """One operation in outline; ``reads`` are names of values, constants left out."""

    name: str
    type: str
    module: str
    results: tuple[Result, ...]
    reads: tuple[str, ...]
    settings: str
    weights: tuple[Weight, ...]

    def line(self) -> str:
        """The node as one line of text."""
        results = _ITEM.join(f"{each.name}{_PART}{each.type}" for each in self.results)
        weights = _ITEM.join(_PART.join((each.parameter, each.form, each.digest)) for each in self.weights)
        fields = (self.name, self.type, self.module, results, _ITEM.join(self.reads), self.settings, weights)
        return _UNIT.join(fields)


@dataclass(frozen=True, slots=True)
class ProgramOutline:
    """A function in outline; ``inputs`` and ``outputs`` are names of values."""

    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """The outline as text, for a Record: inputs, outputs, then one line per operation."""
        return (_ITEM.join(self.inputs), _ITEM.join(self.outputs), *(node.line() for node in self.nodes))


def read_outline(lines: Iterable[str]) -> ProgramOutline:
    """The outline that :meth:`Outline.lines` wrote.

    :raises RecordError: A line has another form.
    """
    given = tuple(lines)
    if len(given) < _FIRST_NODE:
        raise _of_another_form(given[0] if given else "")
    inputs, outputs, *nodes = given
    return ProgramOutline(_items(inputs), tuple(map(_node, nodes)), _items(outputs))


def _of_another_form(line: str) -> RecordError:
    return RecordError(
        f"the outline of a program has the line `{line[:60]}`, which cannot be read.",
        "measure the model again with this version.",
    )


def _node(line: str) -> Node:
    fields = line.split(_UNIT)
    weights = [tuple(each.split(_PART)) for each in _items(fields[-1])]
    results = [tuple(each.split(_PART)) for each in _items(fields[3])] if len(fields) == _FIELDS else []
    if (
        len(fields) != _FIELDS
        or {len(each) for each in weights} - {3}
        or {len(each) for each in results} - {2}
    ):
        raise _of_another_form(line)
    name, kind, module, _, reads, settings, _ = fields
    return Node(
        name,
        kind,
        module,
        tuple(Result(*each) for each in results),
        _items(reads),
        settings,
        tuple(Weight(*each) for each in weights),
    )


def _items(text: str) -> tuple[str, ...]:
    return tuple(text.split(_ITEM)) if text else ()


ChangeKind = Literal[
    "added",
    "removed",
    "fused",
    "split",
    "replaced",
    "moved",
    "re-typed",
    "reshaped",
    "settings",
    "weights",
    "storage",
]
KINDS: Final[Mapping[ChangeKind, str]] = {
    "added": "added",
    "removed": "removed",
    "fused": "fused",
    "split": "split",
    "replaced": "replaced",
    "moved": "moved",
    "re-typed": "re-typed",
    "reshaped": "with other shapes",
    "settings": "with other settings",
    "weights": "with other weights",
    "storage": "with weights in another form",
}
"""The kinds of change, as words that follow a number, in reading order."""


@dataclass(frozen=True, slots=True)
class ProgramChange:
    """One change; ``base`` and ``head`` are names of operations, one of which may be empty."""

    kind: ChangeKind
    module: str
    base: tuple[str, ...]
    head: tuple[str, ...]
    text: str
    """What changed, in a few words: ``conv``, ``batch_norm into conv``, ``fp16 to fp32``."""


@dataclass(frozen=True, slots=True)
class Diff:
    """All changes, and the number of operations."""

    base_operations: int
    head_operations: int
    renamed: int
    """Operations with only a new name: the converter numbers them, so one more layer renames many."""
    changes: tuple[ProgramChange, ...]

    def count(self) -> Mapping[ChangeKind, int]:
        """How often each kind of change occurs, in the order of :data:`KINDS`."""
        found = Counter(change.kind for change in self.changes)
        return {kind: found[kind] for kind in KINDS if found[kind]}

    def headline(self) -> str:
        """One sentence with the number of changes of each kind."""
        counts = [f"{number} {KINDS[kind]}" for kind, number in self.count().items()]
        sizes = _sizes(self.base_operations, self.head_operations)
        return f"{sizes}: {', '.join(counts) if counts else 'no change'}."

    def lines(self, limit: int = 9) -> Iterator[str]:
        """One line per part of the model, those with most changes first, at most ``limit`` lines."""
        modules: dict[str, list[ProgramChange]] = {}
        for change in self.changes:
            modules.setdefault(change.module, []).append(change)
        ordered = sorted(modules.items(), key=lambda item: -len(item[1]))
        shown = ordered if len(ordered) <= limit else ordered[: limit - 1]
        for module, changes in shown:
            yield f"{module or '(no name)'}: {_summary(changes)}"
        rest = ordered[len(shown) :]
        if rest:
            yield f"and {sum(len(changes) for _, changes in rest)} changes in {len(rest)} more parts"


def of_itself(lines: Sequence[str]) -> Diff:
    """The changes of an outline against itself, by its lines alone."""
    operations = max(0, len(lines) - _FIRST_NODE)
    return Diff(operations, operations, 0, ())


def _sizes(base: int, head: int) -> str:
    return f"{head} operations" if base == head else f"{head} operations, {base} in the baseline"


def _summary(changes: Iterable[ProgramChange]) -> str:
    """``added 2 relu, 1 conv; re-typed 3 fp16 to fp32``."""
    texts: dict[ChangeKind, Counter[str]] = {}
    for change in changes:
        texts.setdefault(change.kind, Counter())[change.text] += 1
    return "; ".join(f"{kind} {_counted(texts[kind])}" for kind in KINDS if kind in texts)


def _counted(texts: Counter[str], shown: int = 3) -> str:
    common = [f"{number} {text}" for text, number in texts.most_common(shown)]
    rest = sum(texts.values()) - sum(number for _, number in texts.most_common(shown))
    return ", ".join([*common, f"{rest} more"] if rest else common)
