"""Turns undocumented errors of libraries into values, without the parts that differ from run to run.

coremltools' native half raises the text of ``NSError.userInfo``, an old-style property list::

    {
        NSLocalizedDescription = "Error in declaring network.";
    }

(apple/coremltools#412). It contains paths of a temporary folder with a random name, which would make one
fault on three compute units look like three (apple/ml-stable-diffusion#5).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from coreml_gate.children.job import PackageJob
from coreml_gate.errors import WorkerError

_KEYS: Final = ("NSLocalizedDescription", "NSLocalizedFailureReason", "NSUnderlyingError")
_ENTRY: Final = re.compile(r'^\s*(NS\w+) = (?:"((?:[^"\\]|\\.)*)"|([^";]*));$', re.MULTILINE)
_UNDERLYING: Final = re.compile(r'^Error Domain=\S+ Code=-?\d+ "(.*)"')
_FOLDER: Final = re.compile(
    r"/(?:[^/\s\"':]+/)*(?=[^/\s\"']+\.mlmodelc)"  # the path of a compiled model
    r"|(?:/private)?/(?:var/folders|tmp)/(?:[^/\s\"']+/)*"
)
_RANDOM: Final = re.compile(r"[_-]?(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9a-f]{32})")
_ESCAPES: Final[Mapping[str, str]] = {"n": "\n", "t": "\t"}


@contextmanager
def in_its_own_words() -> Iterator[None]:
    """Raise any error as a :class:`WorkerError` with its type and text; for Core ML, only its sentences."""
    try:
        yield
    except Exception as error:
        raise WorkerError(in_words(error)) from error


@contextmanager
def core_ml(job: PackageJob) -> Iterator[None]:
    """Core ML, or its stand-in if the job requires it; errors keep their own text."""
    from coreml_gate import stand_in

    if job.stand_in:
        stand_in.install(force=True)
    with in_its_own_words():
        yield


def in_words(error: BaseException) -> str:
    """The sentences of a Core ML error on one line; for any other exception its type and text."""
    found = {key: _plain(quoted or bare) for key, quoted, bare in _ENTRY.findall(str(error))}
    sentences = [_sentence(found[key]) for key in _KEYS if key in found]
    text = " ".join(dict.fromkeys(each for each in sentences if each))
    return _steady(text or f"{type(error).__name__}: {error}")


def _sentence(text: str) -> str:
    inner = _UNDERLYING.match(text)
    words = inner[1] if inner else text
    return "" if words in {"", "(null)"} else words


def _plain(text: str) -> str:
    r"""A quoted value without its escapes: ``\"``, ``\n``, ``\U00d7``."""
    return re.sub(
        r"\\(?:U([0-9a-fA-F]{4})|(.))",
        lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPES.get(match[2], match[2]),
        text,
    )


def _steady(text: str) -> str:
    return " ".join(_RANDOM.sub("", _FOLDER.sub("", text)).split())
