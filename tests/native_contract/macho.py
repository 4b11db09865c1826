"""What a compiled module of macOS says of itself: systems, libraries, Objective-C names, signatures."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import lief

_SIGNATURE: Final = re.compile(rb"\((?:\{[^\0]*?\})?(?:, \{[^\0]*?\})*\) -> [^\0]+")
_OLDEST: Final = re.compile(r"(.+?) (?:is|are|can) only .*macOS >= ([\d.]+)")


@dataclass(frozen=True)
class ModuleFacts:
    """Facts of one Mach-O file."""

    minimum_macos: str
    sdk: str
    libraries: tuple[str, ...]
    exported: tuple[str, ...]
    objc_classes: tuple[str, ...]
    """Core ML's classes that it uses."""
    selectors: tuple[str, ...]
    """Every message that it can send."""
    signatures: tuple[str, ...]
    """pybind11's texts of the functions that Python can call."""
    available_from: dict[str, str]
    """From which macOS on it offers a thing, by its own error messages."""


def read_module(path: Path) -> ModuleFacts:
    """The facts of a module for one processor; raises ``ValueError`` for another kind of file."""
    binary = lief.parse(path)
    if not isinstance(binary, lief.MachO.Binary) or binary.build_version is None:
        raise ValueError(f"{path.name} is not a Mach-O file with a build version")
    texts = [text.decode("utf-8", "replace") for text in _section(binary, "__cstring").split(b"\0")]
    imported = [str(symbol.name) for symbol in binary.imported_symbols]
    constants = _section(binary, "__const") + b"\0" + _section(binary, "__cstring")
    return ModuleFacts(
        minimum_macos=_version(binary.build_version.minos),
        sdk=_version(binary.build_version.sdk),
        libraries=tuple(sorted(str(library.name) for library in binary.libraries)),
        exported=tuple(sorted(str(symbol.name) for symbol in binary.exported_symbols)),
        objc_classes=tuple(sorted(name[14:] for name in imported if name.startswith("_OBJC_CLASS_$_ML"))),
        selectors=tuple(
            sorted({name.decode() for name in _section(binary, "__objc_methname").split(b"\0") if name})
        ),
        signatures=tuple(sorted({found.decode() for found in _SIGNATURE.findall(constants)})),
        available_from={match[1]: match[2] for text in sorted(texts) if (match := _OLDEST.match(text))},
    )


def _section(binary: Any, name: str) -> bytes:
    return b"\0".join(bytes(section.content) for section in binary.sections if section.name == name)


def _version(parts: list[int]) -> str:
    return ".".join(str(part) for part in parts[:2])
