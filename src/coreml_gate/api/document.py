"""The reference in docs/api.md, generated from the signatures and docstrings of the stable names.

``python -m coreml_gate.api.document docs/api.md`` rewrites it.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import coreml_gate
from coreml_gate.wording import listed

_MARKED: Final = re.compile(r"(<!-- reference -->\n).*?(<!-- end of reference -->)", re.DOTALL)
_ROLE: Final = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)`")
_FIELD: Final = re.compile(r"^:(param|raises) ([\w.]+):\s*", re.MULTILINE)


def filled(page: str) -> str:
    """The page with the reference rewritten."""
    return _MARKED.sub(lambda marked: f"{marked[1]}{reference()}{marked[2]}", page)


def reference() -> str:
    """One section per stable name, functions first."""
    named = {name: getattr(coreml_gate, name) for name in coreml_gate.__all__ if name != "__version__"}
    functions = {name: each for name, each in named.items() if not isinstance(each, type)}
    classes = {name: each for name, each in named.items() if isinstance(each, type)}
    return "\n".join(
        [*(_function(name, each) for name, each in functions.items()), *map(_class, classes.values())]
    )


def _function(name: str, function: Callable[..., object]) -> str:
    parameters = inspect.signature(function).parameters.values()
    lines = "".join(f"    {_parameter(each)},\n" for each in _with_stars(list(parameters)))
    words, fields = _parts(function)
    rows = "".join(f"| `{key}` | {text} |\n" for key, text in fields)
    table = f"\n| | |\n|---|---|\n{rows}" if rows else ""
    return f"### {name}\n\n```text\n{name}(\n{lines})\n```\n\n{words}\n{table}"


def _with_stars(parameters: list[inspect.Parameter]) -> Iterator[inspect.Parameter | str]:
    starred = False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        yield each


def _parameter(parameter: inspect.Parameter | str) -> str:
    if isinstance(parameter, str):
        return parameter
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    return (
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"
    )


def _class(kind: type) -> str:
    words, _ = _parts(kind)
    members = [name for name in vars(kind) if not name.startswith("_")]
    fields = [name for name in getattr(kind, "__dataclass_fields__", {}) if name not in members]
    named = listed(name for name in [*fields, *members] if name != "temporary")
    return f"### {kind.__name__}\n\n{words}\n\nAttributes: {named}.\n"


def _parts(documented: object) -> tuple[str, list[tuple[str, str]]]:
    """The text of a docstring, and its fields by name."""
    text = _ROLE.sub(r"`\1`", inspect.getdoc(documented) or "").replace("``", "`")
    text = re.sub(r"\bdocs/([\w-]+\.md)", r"[\1](\1)", text)
    first, *rest = _FIELD.split(text)
    fields = [
        (name if kind == "param" else f"raises {name}", " ".join(words.split()))
        for kind, name, words in zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    ]
    return "\n\n".join(" ".join(part.split()) for part in first.strip().split("\n\n")), fields


def main(path: Path) -> None:
    """Rewrite the reference."""
    path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
