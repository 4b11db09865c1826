"""Writes docs/known-converter-bugs.md: the table of known bugs, each converted and measured anew.

``python benchmarks/hunt/page.py docs/known-converter-bugs.md`` keeps what stands below the line
``<!-- written by hand from here on -->``.
"""

import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch
from case import SHAPE, Case
from causes import Sight
from torch.nn import functional

from coreml_gate.diagnose.known_bugs import UNMEASURED, KnownBug, bugs_of
from hunt import look

BY_HAND: Final = "<!-- written by hand from here on -->"
_MOST_LINES: Final = 6
HEAD: Final = """# Known bugs of the converter

Packages that coremltools {release} writes without an error and that do not answer like the model of torch
{torch} they were made from. The bug is in the saved program, so every engine meets it, in float32 too.
This part of the page is generated from the table that the hints of findings come from, and every example
on it is converted and measured anew: `python benchmarks/hunt/page.py docs/known-converter-bugs.md`. `x`
and `y` are normal samples of shape (2, 3, 4).

The table detects nothing. coreml-gate finds each of these by its numbers, and `tests/known_bugs` proves it
with an empty table.

"""


def main() -> int:
    """The command."""
    path = Path(sys.argv[1])
    _, _, by_hand = path.read_text(encoding="utf-8").partition(BY_HAND)
    path.write_text(page() + BY_HAND + by_hand, encoding="utf-8")
    return 0


def page() -> str:
    """All but what is written by hand."""
    release = version("coremltools")
    bugs = bugs_of(release)
    torch_release = torch.__version__.partition("+")[0]
    return (
        HEAD.format(release=release, torch=torch_release)
        + f"{_index(bugs)}\n"
        + "\n".join(_entry(bug) for bug in bugs)
        + _seen_on_devices()
    )


def _index(bugs: tuple[KnownBug, ...]) -> str:
    rows = (
        f"| [{bug.id}](#{bug.id}) | {', '.join(bug.torch_operations[:4])} | {', '.join(bug.routes)} "
        f"| {_issue(bug)} | {bug.fixed_in or 'no release'} |\n"
        for bug in bugs
    )
    return "| Bug | Operations | Route | Public issue | Fixed in |\n|---|---|---|---|---|\n" + "".join(rows)


def _entry(bug: KnownBug) -> str:
    parameters = ", ".join(names(bug.example))
    code = f"def forward(self, {parameters}):\n" + textwrap.indent(bug.example, "    ")
    sights = [look(case_of(bug), route) for route in bug.routes]
    return (
        f"## {bug.id}\n\n{_sentence(bug.what)} Public issue: {_issue(bug)}.\n\n```python\n{code}\n```\n\n"
        + "".join(_evidence(sight) for sight in sights)
        + f"- Way out: {bug.workaround if '`' in bug.workaround else '`' + bug.workaround + '`'}\n"
    )


def _evidence(sight: Sight) -> str:
    size = "" if sight.error is None else f", off by {sight.error:.2g} of the greatest value"
    asked = "the sample as it is" if sight.found_on == "samples" else sight.found_on
    other = {True: " The other route agrees with torch.", False: "", None: ""}[sight.other_route]
    shown = sight.mil[-_MOST_LINES:]
    dots = ["..."] if len(sight.mil) > len(shown) else []
    program = textwrap.indent("\n".join([*dots, *shown]), "  ")
    if sight.outcome != "differs":
        return f"- {sight.route}: {sight.outcome}.\n"
    return f"- {sight.route}: {sight.how}{size}; with {asked}.{other}\n\n  ```\n{program}\n  ```\n\n"


def _seen_on_devices() -> str:
    lines = "".join(
        f"- `{bug.example.removeprefix('return ')}`: {bug.what} ({_issue(bug)}). Way out: "
        f"`{bug.workaround}`\n"
        for bug in UNMEASURED
    )
    return (
        "\n## Seen on devices\n\nThe program is as documented, and what Core ML makes of it is not. "
        f"Rules find these, no numbers.\n\n{lines}\n"
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _issue(bug: KnownBug) -> str:
    if not bug.issue:
        return "none found"
    repository, _, number = bug.issue.partition("#")
    return f"[{bug.issue}](https://github.com/{repository}/issues/{number})"


def names(example: str) -> tuple[str, ...]:
    """The inputs of an example."""
    return ("x", "y") if "y)" in example or "y," in example or "y *" in example else ("x",)


def case_of(bug: KnownBug) -> Case:
    """An example as a case of the hunt."""
    return Case(bug.id, function_of(bug.example), (SHAPE,) * len(names(bug.example)))


def function_of(example: str) -> Callable[..., Any]:
    """The example as a function."""
    space: dict[str, Any] = {"torch": torch, "F": functional}
    text = f"def forward({', '.join(names(example))}):\n" + textwrap.indent(example, "    ")
    exec(text, space)  # the text is our own table's
    function: Callable[..., Any] = space["forward"]
    return function


if __name__ == "__main__":
    sys.exit(main())
