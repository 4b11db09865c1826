"""Where in the source an operation of the package comes from, which only the converter knows.

An exported program has the Python stack of each node, a traced one the modules around it. Both give the class
of the innermost module, which survives edits of the model, while operations are named by counters that shift
with every operation added before them.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from coreml_gate.engines.places import Frame, exported_frames, place_among
from coreml_gate.reading import read_text
from coreml_gate.untyped import TorchObject

_Span = tuple[int, int, str]


@dataclass(frozen=True)
class Origin:
    """The module class whose code makes an operation, and the line (``models/net.py:12``; empty: unknown)."""

    module: str = ""
    place: str = ""
    half: bool = True
    """Whether the operation became half precision."""
    variable: str = ""
    """The name of its first output while the converter's FP16 pass runs: what an ``op_selector`` sees."""


@dataclass(frozen=True)
class Places:
    """Finds origins below ``root``; ``root_module`` is the class of the whole source."""

    root: Path
    root_module: str
    lines: Mapping[str, str] = field(default_factory=dict)
    """The lines of a traced graph's nodes, by name (``conversion/mapping.py``)."""
    _classes: dict[str, tuple[_Span, ...]] = field(default_factory=dict)

    def of(self, scopes: Mapping[TorchObject, list[TorchObject]]) -> Origin:
        """The origin by the converter's ``scopes`` of an operation."""
        by_name = {getattr(key, "name", str(key)): values for key, values in scopes.items()}
        stack = reversed(by_name.get("EXIR_STACK_TRACE", []))
        frames = [frame for text in stack for frame in exported_frames(text)]
        if frames:
            return self._of_frames(frames)
        modules = [str(name) for name in by_name.get("TORCHSCRIPT_MODULE_TYPE", ())]
        names = [str(name) for name in by_name.get("TORCHSCRIPT_MODULE_NAME", ())]
        place = self.lines.get(names[-1], "") if names else ""
        return Origin(modules[-2] if len(modules) > 1 else self.root_module, place)

    def _of_frames(self, frames: list[Frame]) -> Origin:
        classes = (self._class_at(file, line) for file, line in frames)
        return Origin(next(filter(None, classes), ""), place_among(frames, self.root))

    def _class_at(self, file: str, line: int) -> str:
        if file not in self._classes:
            self._classes[file] = tuple(_classes_of(Path(file)))
        spans = [span for span in self._classes[file] if span[0] <= line <= span[1]]
        return max(spans, default=(0, 0, ""))[2]


def _classes_of(file: Path) -> Iterator[_Span]:
    try:
        tree = ast.parse(read_text(file))
    except (OSError, ValueError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.lineno, node.end_lineno or node.lineno, node.name


def write_origins(origins: Mapping[str, Origin], path: Path) -> None:
    """Write the origins next to the packages, by the operation's name in the float32 twin."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({name: asdict(origin) for name, origin in origins.items()}, indent=0)
    path.write_text(text, encoding="utf-8")


def read_origins(path: Path | None) -> dict[str, Origin]:
    """The stored origins; none if there is no such file."""
    if path is None or not path.exists():
        return {}
    return {name: Origin(**origin) for name, origin in json.loads(path.read_text(encoding="utf-8")).items()}
