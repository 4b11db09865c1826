"""Which files decide what a model is: its start files and all that they import, found without running it."""

import hashlib
import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coreml_gate.config import ModelConfig
from coreml_gate.config.reference import DataReference, ModuleReference, ScriptReference, parse_reference
from coreml_gate.gate.imports import Import, imports_of

_SHARED_ROOTS = ("", "src")
"""Where absolute imports are looked for, besides a script's own folder; relative to the repository."""


@dataclass(frozen=True)
class Closure:
    """Paths relative to the repository's root, with ``/`` between their parts."""

    files: frozenset[str]
    """What exists: Python files, data files, and folders that are data (a ``.mlpackage``)."""
    absent: frozenset[str]
    """What was looked for and does not exist: a file or folder that appears there changes the model."""


@dataclass(frozen=True)
class _Node:
    """What one Python file imports, as far as it is the same for every model."""

    absolute: frozenset[str]
    tops: frozenset[str]
    """The first parts of ``absolute``: what a script's own folder can answer."""
    steps: frozenset[str]
    """The Python files that answer its imports in the shared roots and in its own package."""
    absent: frozenset[str]
    """Where else its imports were looked for."""


@dataclass(frozen=True)
class Closures:
    """The closures of one tree; what models share is read once.

    An import is looked for in all roots and followed in each where it is found: a superset of what Python
    would import, whatever the order of its path. Modules imported under a computed name stay unknown.
    """

    root: Path
    _folders: dict[str, Mapping[str, bool]] = field(default_factory=dict, repr=False)
    _modules: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)
    _nodes: dict[str, _Node] = field(default_factory=dict, repr=False)
    _found: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict, repr=False)

    def of(self, model: ModelConfig) -> Closure:
        """The closure of a model's source, samples and metric, and of its variants' sources."""
        variants = (variant.source for variant in model.variant)
        named = (model.source, model.samples, model.evaluate, *variants)
        references = [parse_reference(text) for text in named if text is not None]
        scripts = [posixpath.normpath(item.path) for item in references if isinstance(item, ScriptReference)]
        modules = [item.module for item in references if isinstance(item, ModuleReference)]
        data = [posixpath.normpath(item.path) for item in references if isinstance(item, DataReference)]
        own_folders = sorted({posixpath.dirname(script) for script in scripts} - {*_SHARED_ROOTS})
        found = (self._find(root, module) for module in modules for root in (*_SHARED_ROOTS, *own_folders))
        start = frozenset(scripts).union(*found)
        reached = self._reach(self._python_files(start), own_folders)
        files = reached | {path for path in data if self._exists(path)}
        looked_for = start.union(data, *(self._node(path).absent for path in reached))
        in_own_folders = (self._looked_for(reached, folder) for folder in own_folders)
        return Closure(files, looked_for.union(*in_own_folders) - files)

    def _reach(self, start: frozenset[str], own_folders: Sequence[str]) -> frozenset[str]:
        """All Python files that can be reached by imports."""
        reached = set(start)
        waiting = list(start)
        held = frozenset[str]().union(*map(self._modules_in, own_folders))
        while waiting:
            node = self._node(waiting.pop())
            steps = node.steps - reached
            if not held.isdisjoint(node.tops):
                own = (self._in_own_folder(node, folder) for folder in own_folders)
                steps |= self._python_files(frozenset[str]().union(*own)) - reached
            waiting += steps
            reached |= steps
        return frozenset(reached)

    def _in_own_folder(self, node: _Node, folder: str) -> frozenset[str]:
        """The paths in a script's own folder at which a file's imports are looked for."""
        held = self._modules_in(folder)
        names = (name for name in node.absolute if name.partition(".")[0] in held)
        return frozenset[str]().union(*(self._find(folder, name) for name in names))

    def _looked_for(self, reached: frozenset[str], folder: str) -> frozenset[str]:
        """Where the imports of a model are looked for in a script's own folder, found or not."""
        nodes = [self._node(path) for path in reached]
        held = self._modules_in(folder)
        own = (self._in_own_folder(node, folder) for node in nodes if not held.isdisjoint(node.tops))
        tops = frozenset[str]().union(*(node.tops for node in nodes))
        return frozenset[str]().union(*own, *(self._find(folder, top) for top in tops - held))

    def _modules_in(self, folder: str) -> frozenset[str]:
        if folder not in self._modules:
            self._modules[folder] = frozenset(name.removesuffix(".py") for name in self._listing(folder))
        return self._modules[folder]

    def _node(self, path: str) -> _Node:
        if path not in self._nodes:
            self._nodes[path] = self._read(path)
        return self._nodes[path]

    def _read(self, path: str) -> _Node:
        text = (self.root / path).read_bytes().decode(errors="replace")
        imports = imports_of(text)
        absolute = frozenset(imported.name for imported in imports if imported.level == 0)
        relative = (self._find_relative(path, imported) for imported in imports if imported.level > 0)
        shared = (self._find(root, name) for root in _SHARED_ROOTS for name in absolute)
        paths = frozenset[str]().union(*shared, *relative)
        steps = self._python_files(paths)
        return _Node(absolute, frozenset(name.partition(".")[0] for name in absolute), steps, paths - steps)

    def _find(self, folder: str, module: str) -> frozenset[str]:
        """The paths at which a dotted name is looked for below a folder, each parent package included."""
        key = (folder, module)
        if key not in self._found:
            self._found[key] = frozenset(self._candidates(folder, module))
        return self._found[key]

    def _candidates(self, folder: str, module: str) -> Iterator[str]:
        for part in module.split("."):
            path = f"{folder}/{part}" if folder else part
            yield f"{path}.py"
            if not self._listing(folder).get(part, False):
                yield path
                return
            yield f"{path}/__init__.py"
            folder = path

    def _find_relative(self, path: str, imported: Import) -> Iterator[str]:
        package = posixpath.dirname(path)
        yield from self._packages_around(package)
        for _ in range(imported.level - 1):
            package = posixpath.dirname(package)
        if imported.name:
            yield from self._find(package, imported.name)

    def _packages_around(self, folder: str) -> Iterator[str]:
        """The ``__init__.py`` of a package and of the packages that hold it."""
        while folder:
            yield f"{folder}/__init__.py"
            if not self._exists(f"{folder}/__init__.py"):
                return
            folder = posixpath.dirname(folder)

    def _python_files(self, paths: frozenset[str]) -> frozenset[str]:
        return frozenset(path for path in paths if path.endswith(".py") and self._is_file(path))

    def _is_file(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return self._listing(folder).get(name) is False

    def _exists(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return name in self._listing(folder)

    def _listing(self, folder: str) -> Mapping[str, bool]:
        """What a folder holds, each name with whether it is a folder itself."""
        if folder not in self._folders:
            self._folders[folder] = _list_folder(self.root / folder)
        return self._folders[folder]


def content(root: Path, closure: Closure) -> str:
    """A digest of the bytes of a closure's files under their paths, for the key of the conversion cache."""
    digest = hashlib.sha256()
    for path in sorted(closure.files):
        for file in _files_below(root / path):
            digest.update(f"{file.relative_to(root).as_posix()}\0".encode(errors="surrogateescape"))
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _files_below(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _list_folder(folder: Path) -> Mapping[str, bool]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.is_dir() for entry in entries if entry.is_dir() or entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
