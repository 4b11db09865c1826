"""The explanations as text, for a terminal and as docs/explain.md.

``python -m coreml_gate.explain.document docs/explain.md`` writes the page.
"""

import re
import sys
from pathlib import Path
from typing import Final

from coreml_gate.explain.explanation import Explanation
from coreml_gate.explain.table import KINDS, all_explanations
from coreml_gate.wording import hanging

_ON_THE_PAGE: Final = ("check", "error")
"""Kinds on the page; rules and known bugs have pages of their own."""
_ELSEWHERE: Final = {"rule": "rules.md", "known bug": "known-converter-bugs.md"}
_REPOSITORY: Final = "https://github.com/coreml-gate/coreml-gate/blob/main"
_PAGE: Final = re.compile(r"`?\bdocs/([\w.-]+\.md)(#[\w-]+)?`?")


def described(explanation: Explanation, width: int) -> str:
    """One explanation for a terminal."""
    head = f"{explanation.code} ({explanation.kind})"
    parts = [f"{title}:\n{_indented(text, width)}" for title, text in explanation.parts.items()]
    more = [f"More: {_REPOSITORY}/{explanation.page}"] if explanation.page else []
    return "\n\n".join([head, *parts, *more])


def listing(width: int) -> str:
    """All codes by kind."""
    lines: list[str] = []
    for kind, title in KINDS.items():
        known = [each for each in all_explanations() if each.kind == kind]
        starts = ((f"  {each.code:<27}", each.meaning.splitlines()[0]) for each in known)
        lines += [title, *(hanging(start, text, width) for start, text in starts), ""]
    return "\n".join([*lines, "`coreml-gate explain CODE` explains one of them, and what to do."])


def page() -> str:
    """The whole page."""
    return (
        "# Findings and errors explained\n\n"
        "What each finding and each error means, why it matters on the phone, how to fix it, and how to "
        "accept it.\n`coreml-gate explain CODE` prints the same.\n\n"
        + "\n".join(_section(kind, title) for kind, title in KINDS.items())
    )


def _section(kind: str, title: str) -> str:
    if kind not in _ON_THE_PAGE:
        return (
            f"## {title}\n\nEach with its evidence and its fix on [a page of its own]({_ELSEWHERE[kind]}).\n"
        )
    return f"## {title}\n\n" + "\n".join(_entry(each) for each in all_explanations() if each.kind == kind)


def _entry(explanation: Explanation) -> str:
    parts = "".join(f"- **{title}**: {_linked(text)}\n" for title, text in explanation.parts.items())
    more = f"- **More**: {_linked(explanation.page)}\n" if explanation.page else ""
    return f"### {explanation.code}\n\n{parts}{more}"


def _linked(text: str) -> str:
    """The text with pages of the documentation as links relative to this one."""
    text = text.replace("README.md", f"[README]({_REPOSITORY}/README.md)")
    return _PAGE.sub(lambda found: f"[{found[1].removesuffix('.md')}]({found[1]}{found[2] or ''})", text)


def _indented(text: str, width: int) -> str:
    """The first line, which is a sentence, wrapped; then code as it is."""
    sentence, *code = text.splitlines()
    return "\n".join([hanging("  ", sentence, width), *(f"  {line}" for line in code)])


def main(path: Path) -> None:
    """Write the page."""
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
