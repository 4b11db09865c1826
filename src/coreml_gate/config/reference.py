"""How the configuration names code and data: ``file.py:callable``, ``package.module:callable`` or a path."""

import re
from dataclasses import dataclass

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_CALLABLE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class ScriptReference:
    """A callable in a file, which can import from the repository's root and from its own folder."""

    path: str
    attribute: str


@dataclass(frozen=True)
class ModuleReference:
    """A callable in a module, found from the repository's root or its ``src`` folder."""

    module: str
    attribute: str


@dataclass(frozen=True)
class DataReference:
    """A file or folder with data: an exported program, a TorchScript file, a package, stored samples."""

    path: str


Reference = ScriptReference | ModuleReference | DataReference


def parse_reference(text: str) -> Reference | None:
    """What a ``source``, ``samples`` or ``evaluate`` refers to; ``None`` if it has none of these forms."""
    target, colon, attribute = text.rpartition(":")
    if not colon:
        return None if not text or text.endswith(".py") else DataReference(text)
    if not _CALLABLE.fullmatch(attribute):
        return None
    if target.endswith(".py"):
        return ScriptReference(target, attribute)
    return ModuleReference(target, attribute) if _MODULE.fullmatch(target) else None
