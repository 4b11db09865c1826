"""The dependencies of a model: its start files and all that they import, found without running it."""

import hashlib
import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from coreml_gate.config import ModelConfig
from coreml_gate.config.reference import DataReference, ModuleReference, ScriptReference, parse_reference
from coreml_gate.gate.file_tree import FileTree
from coreml_gate.reading import open_regular, read_bytes

_SHARED_ROOTS = ("", "src")
"""Folders searched for absolute imports, besides a script's own folder; relative to the repository."""
_CHUNK = 2**20
_MOST_BYTES = 2**38
"""Far more than any model takes; a larger file, such as ``/proc/kcore``, is not a file of a model."""
_NONE = frozenset[str]()
_NO_IMPORTS = frozenset["Import"]()
_UNREADABLE = bytes(hashlib.sha256().digest_size)
"""Stands for a file without read permission; the child that needs it reports it."""
_STATEMENT = re.compile(
    r"""
    [\n;:] [ \t\f]*                                                     # where a statement can begin
    (?: from\b [ \t]* (?P<dots>(?:\.[ \t]*)*) (?P<package>[\w.]*?) [ \t]* \bimport\b
        [ \t]* (?: \( (?P<listed>(?:[^()#]|\#[^\n]*)*) \) | (?P<names>[^\n;\#(]*) )
    |   import\b [ \t]+ (?P<modules>[^\n;\#]+)
    )""",
    re.VERBOSE,
)
"""The text is scanned, not parsed: that is over fifteen times faster, and works for the syntax of any Python
version and for files with mistakes. Whatever ``ast`` finds is found, in functions and under conditions too.
An import in a string is taken for one as well, which at worst measures a model that did not change."""
_CALL = re.compile(
    r"""\b(?:import_module|__import__)\s*\(\s*(?:name\s*=\s*)?(["'])(?P<dots>\.*)(?P<module>[\w.]+)\1"""
)
_REST = re.compile(r"(?:[^\\\n]+|\\\r?\n?)*(?:[^)#]+|#[^\n]*)*\)?")
"""The text from the last ``import`` of a file: its line with continuation lines, and a list in parentheses.
No statement reaches further, and most of a file comes after it."""
_COMMENT = re.compile(r"#[^\n]*")
_CODING = re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)")
"""A source file's declared encoding, in one of its first two lines (PEP 263)."""
_STRING = re.compile(r"""("[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'?)""")
"""A string, or the rest of its line: each character is read once, whatever the quotes are."""
_WORD = re.compile(r"[\w.+-]+")
_SEARCHES = re.compile(
    r"\b(?:iter_modules|walk_packages|i?glob|rglob|iterdir|listdir|scandir|walk|with_suffix|with_stem|with_name"
    r"|import_module|__import__|spec_from_file_location|run_path|run_module)\b"
)
"""Calls by which code reads files whose names it computes or lists."""
_IN_SEARCHES = ("glob", "walk", "dir", "with_", "import_", "__import__", "spec_from", "run_", "iter_")
"""One of these is in each of these calls, and to look for all takes a third of the time."""
_FEW = 32
"""Up to this number of words, it is faster to look for each in a text than to find the text's strings."""


class Import(NamedTuple):
    """A dotted name that may be a module; ``level`` is the number of leading dots.

    ``from a import b`` is the name ``a.b``, because only the file system shows whether ``b`` is a module.
    """

    level: int
    name: str


@dataclass(frozen=True)
class Closure:
    """Paths relative to the repository's root, with ``/`` between their parts."""

    files: frozenset[str]
    """The existing paths: Python files, data files, and folders that are data (a ``.mlpackage``)."""
    absent: frozenset[str]
    """The missing paths that were searched: a file or folder that appears there changes the model."""
    behind: frozenset[str] = frozenset()
    """The links on these paths, and their targets, because git reports a change only of those."""
    ends: frozenset[str] = frozenset()
    """The real files with the bytes of ``files``: resolved links, and the single files of a folder.
    A package that a command builds again is left out."""


@dataclass(frozen=True)
class _Node:
    """What one Python file imports and may read, as far as it is the same for every model."""

    absolute: frozenset[str]
    tops: frozenset[str]
    """The first parts of ``absolute``, which may be modules in a script's own folder."""
    places: "_ImportPaths"
    """The paths searched for its imports in the shared roots and in its own package."""
    words: frozenset[str]
    """Those in its strings by which it may name a changed file."""
    searches: bool
    """Whether it searches folders, in which changed files may be."""


class _ImportPaths(NamedTuple):
    """Paths searched for imports."""

    steps: frozenset[str]
    """The Python files among them."""
    absent: frozenset[str]
    """The others."""
    behind: frozenset[str]
    """As in :class:`Closure`, for all of these paths."""


def _together(places: Iterable[_ImportPaths]) -> _ImportPaths:
    """Merge all of them."""
    steps, absent, behind = zip(_ImportPaths(_NONE, _NONE, _NONE), *places, strict=True)
    return _ImportPaths(_NONE.union(*steps), _NONE.union(*absent), _NONE.union(*behind))


@dataclass(frozen=True)
class Closures:
    """The closures of one tree; files that models share are read once.

    An import is searched in all roots and followed in each where it is found: a superset of Python's own
    imports, whatever the order of its path. Modules imported by a computed name stay unknown.
    """

    root: Path
    changed: frozenset[str] = _NONE
    """The changed files, for :meth:`perhaps_read`."""
    _modules: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)
    _nodes: dict[str, _Node] = field(default_factory=dict, repr=False)
    _found: dict[tuple[str, str], _ImportPaths] = field(default_factory=dict, repr=False)
    _ends: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)

    @cached_property
    def tree(self) -> FileTree:
        """The tree that all closures read."""
        return FileTree(self.root)

    @cached_property
    def _words(self) -> Mapping[str, frozenset[str]]:
        """The words by which code may name each changed file."""
        return {path: _words_of(path) for path in self.changed}

    @cached_property
    def _sought(self) -> frozenset[str]:
        return _NONE.union(*self._words.values())

    def of(self, model: ModelConfig, opened: Iterable[str] = ()) -> Closure:
        """The closure of a model's source, samples, metric and conversion, and of its variants' sources.

        ``opened``: the files read when it was measured before, which its imports need not show.
        """
        references = [parse_reference(text) for text in self._named(model)]
        scripts = [posixpath.normpath(item.path) for item in references if isinstance(item, ScriptReference)]
        modules = [item.module for item in references if isinstance(item, ModuleReference)]
        data = {posixpath.normpath(item.path) for item in references if isinstance(item, DataReference)}
        own_folders = sorted(self._folders_of(scripts) - {*_SHARED_ROOTS})
        roots = (*_SHARED_ROOTS, *own_folders)
        start = self._places({*scripts, *opened})
        found = _together((start, *(self._find(root, module) for module in modules for root in roots)))
        reached = self._reach(found.steps, own_folders)
        files = reached | {path for path in data.union(opened) if self.tree.exists(path)}
        nodes = [self._node(path) for path in reached]
        own = (places for folder in own_folders for places in self._in_own_folder(nodes, folder))
        places = _together((found, self._places(data), *own, *(node.places for node in nodes)))
        built = {posixpath.normpath(model.package)} if model.package and model.build else _NONE
        ends = _NONE.union(*map(self._ends_of, files - built))
        return Closure(files, places.absent - files, places.behind, ends)

    def perhaps_read(self, closure: Closure, *, measured: bool) -> tuple[str, ...]:
        """Those of the changed files that the closure's code may read, as far as its text shows.

        Of a measured model it is known what it opens, but not which files it looked for and did not find:
        only those named in full count. Of others also a stem, a folder or a search is enough.
        """
        nodes = {path: self._node(path) for path in closure.files if path.endswith(".py")}
        named = _NONE.union(*(node.words for node in nodes.values()))
        searching = (path for path, node in nodes.items() if node.searches and not measured)
        searched = tuple({*map(_below, searching)})
        read = (
            path
            for path, words in self._words.items()
            if not named.isdisjoint({posixpath.basename(path)} if measured else words)
            or path.startswith(searched)
        )
        return tuple(sorted({*read} - closure.files))

    def _named(self, model: ModelConfig) -> list[str]:
        """The references of a model, in the forms of :func:`parse_reference`."""
        variants = (variant.source for variant in model.variant)
        conversion = (model.convert, model.package, *self._built_by(model))
        named = (model.source, model.samples, model.evaluate, *conversion, *variants)
        return [text for text in named if text is not None]

    def _built_by(self, model: ModelConfig) -> tuple[str, ...]:
        """The files named by a command: a script with its imports, as ``file.py:main``, or data."""
        files = [word for word in model.build if self.tree.exists(posixpath.normpath(word))]
        return tuple(f"{file}:main" if file.endswith(".py") else file for file in files)

    def _ends_of(self, path: str) -> frozenset[str]:
        if path not in self._ends:
            self._ends[path] = frozenset(map(self.tree.end_of, self.tree.files_below(path)))
        return self._ends[path]

    def _folders_of(self, scripts: Sequence[str]) -> set[str]:
        """The folders that a script searches first: its own, and that of its link's target."""
        return {posixpath.dirname(path) for script in scripts for path in (script, self.tree.end_of(script))}

    def _reach(self, start: frozenset[str], own_folders: Sequence[str]) -> frozenset[str]:
        """All Python files reachable by imports."""
        reached = set(start)
        waiting = list(start)
        held = _NONE.union(*map(self._modules_in, own_folders))
        while waiting:
            node = self._node(waiting.pop())
            steps = node.places.steps - reached
            if not held.isdisjoint(node.tops):
                own = (places for folder in own_folders for places in self._held(node, folder))
                steps = steps.union(*(places.steps for places in own)) - reached
            waiting += steps
            reached |= steps
        return frozenset(reached)

    def _held(self, node: _Node, folder: str) -> Iterator[_ImportPaths]:
        """The paths at which a script's own folder has a file's imports."""
        held = self._modules_in(folder)
        if not held.isdisjoint(node.tops):
            names = (name for name in node.absolute if name.partition(".")[0] in held)
            yield from (self._find(folder, name) for name in names)

    def _in_own_folder(self, nodes: Sequence[_Node], folder: str) -> Iterator[_ImportPaths]:
        """The paths searched for a model's imports in a script's own folder, existing or not."""
        for node in nodes:
            yield from self._held(node, folder)
        missing = _NONE.union(*(node.tops for node in nodes)) - self._modules_in(folder)
        yield from (self._find(folder, top) for top in missing)

    def _modules_in(self, folder: str) -> frozenset[str]:
        if folder not in self._modules:
            self._modules[folder] = frozenset(name.removesuffix(".py") for name in self.tree.listing(folder))
        return self._modules[folder]

    def _node(self, path: str) -> _Node:
        node = self._nodes.get(path)
        if node is None:
            node = self._nodes[path] = self._read(path)
        return node

    def _read(self, path: str) -> _Node:
        text = _text(os.path.join(self.root, path))  # noqa: PTH118 - as in `_text`
        imports = imports_of(text)
        absolute = frozenset(imported.name for imported in imports if imported.level == 0)
        relative = {found for each in imports if each.level > 0 for found in self._find_relative(path, each)}
        shared = (self._find(root, name) for root in _SHARED_ROOTS for name in absolute)
        tops = frozenset(name.partition(".")[0] for name in absolute)
        places = _together((self._places(relative), *shared))
        return _Node(absolute, tops, places, _quoted_words(text, self._sought), _searches(text))

    def _find(self, folder: str, module: str) -> _ImportPaths:
        """The paths searched for a dotted name below a folder, including each parent package."""
        key = (folder, module)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._places(frozenset(self._candidates(folder, module)))
        return found

    def _places(self, paths: AbstractSet[str]) -> _ImportPaths:
        steps = frozenset(path for path in paths if path.endswith(".py") and self.tree.is_file(path))
        return _ImportPaths(steps, frozenset(paths) - steps, self.tree.behind(paths))

    def _candidates(self, folder: str, module: str) -> Iterator[str]:
        for part in module.split("."):
            path = f"{folder}/{part}" if folder else part
            yield f"{path}.py"
            entry = self.tree.entry(path)
            if entry is None or not entry.is_folder:
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
            yield from self._candidates(package, imported.name)

    def _packages_around(self, folder: str) -> Iterator[str]:
        """The ``__init__.py`` of a package and of the packages around it."""
        while folder:
            yield f"{folder}/__init__.py"
            if not self.tree.exists(f"{folder}/__init__.py"):
                return
            folder = posixpath.dirname(folder)


def content(root: Path, closure: Closure) -> str:
    """A digest of the bytes of a closure's files under their paths, for the key of the conversion cache."""
    tree = FileTree(root)
    digest = hashlib.sha256()
    for path in sorted(closure.files):
        for file in tree.files_below(path):
            digest.update(f"{file}\0".encode(errors="surrogateescape"))
            digest.update(_digest(root / file))
    return digest.hexdigest()


def _digest(file: Path) -> bytes:
    """A digest of as many bytes as the file's size, as some files of `/proc` are endless or block."""
    digest = hashlib.sha256()
    try:
        with open_regular(file) as opened:
            size = os.fstat(opened.fileno()).st_size
            if size > _MOST_BYTES:
                return _UNREADABLE
            while size > 0 and (chunk := opened.read(min(size, _CHUNK))):
                digest.update(chunk)
                size -= len(chunk)
    except OSError:
        return _UNREADABLE
    return digest.digest()


def _text(file: str) -> str:
    """The text of a Python file, empty if it cannot be read: it imports nothing, and fails when it is run."""
    try:
        content = read_bytes(file)
    except OSError:
        return ""
    if content.isascii():
        return content.decode("ascii")
    coding = _CODING.match(content)
    with suppress(LookupError, ValueError):  # no such encoding: Python refuses the file
        text = content.decode("utf-8" if coding is None else coding[1].decode(), errors="replace")
        return unicodedata.normalize("NFKC", text)  # as Python does with names (PEP 3131)
    return ""


def _words_of(path: str) -> frozenset[str]:
    """The words by which code names a file: its name, the stem, and for data the folders around it."""
    folders, _, name = path.rpartition("/")
    around = () if name.endswith(".py") else folders.split("/")
    return frozenset({name, name.partition(".")[0], *around} - {"", ".."})


def _quoted_words(text: str, sought: frozenset[str]) -> frozenset[str]:
    """Those of the words that are in a file's strings, whole or between dots."""
    if len(sought) <= _FEW and not any(word in text for word in sought):
        return _NONE
    words = {word for found in _STRING.findall(text) for word in _WORD.findall(found)}
    return sought & words.union(*(word.split(".") for word in words))


def _searches(text: str) -> bool:
    return any(part in text for part in _IN_SEARCHES) and _SEARCHES.search(text) is not None


def _below(path: str) -> str:
    """What the paths below a file's folder begin with."""
    folder = posixpath.dirname(path)
    return f"{folder}/" if folder else ""


def imports_of(text: str) -> frozenset[Import]:
    """Every name that the text of a Python file imports."""
    last = text.rfind("import")
    if last < 0:
        return _NO_IMPORTS
    rest = _REST.match(text, last)
    begin = text if rest is None else text[: rest.end()]
    lines = begin.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    joined = "\n" + lines.replace("\\\n", " ")
    return frozenset((*_statements(joined), *_calls(begin)))


def _statements(text: str) -> Iterator[Import]:
    for found in _STATEMENT.finditer(text):
        if found["modules"] is not None:
            yield from (Import(0, name) for name in _first_words(found["modules"]))
            continue
        level, package = found["dots"].count("."), found["package"]
        yield Import(level, package)
        names = found["names"] if found["listed"] is None else _COMMENT.sub("", found["listed"])
        for name in _first_words(names):
            if name != "*":
                yield Import(level, f"{package}.{name}" if package else name)


def _calls(text: str) -> Iterator[Import]:
    if "import_module" in text or "__import__" in text:
        for found in _CALL.finditer(text):
            yield Import(len(found["dots"]), found["module"])


def _first_words(listed: str) -> list[str]:
    """The names of ``a, b as c``, without their new names."""
    return [words[0] for part in listed.split(",") if (words := part.split())]
