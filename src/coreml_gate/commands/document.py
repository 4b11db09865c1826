"""docs/cli.md: every command with its arguments, generated from the parsers.

``python -m coreml_gate.commands.document docs/cli.md`` writes the page.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from coreml_gate.commands import COMMANDS

_HEAD: Final = """\
# Commands

`coreml-gate COMMAND --help` prints the same. Every command except the steps of `github` also accepts
`--quiet`. Exit codes: 0 means pass, 1 means that the gate fails, and each error has
[its own code](explain.md#errors) from 2 on.
"""
_ESCAPED: Final = "\\|"


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(section for name in COMMANDS for section in _sections(name))


def _sections(name: str) -> Iterator[str]:
    parser = argparse.ArgumentParser(prog=f"coreml-gate {name}", description=COMMANDS[name].help)
    COMMANDS[name].describe_to(parser)
    yield _section(parser, "##")
    for action in _actions(parser):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse has no other way to list them
            steps = {each.dest: each.help for each in action._choices_actions}  # noqa: SLF001 - as above
            for step, parsed in action.choices.items():
                parsed.description = steps.get(step)
                yield _section(parsed, "###")


def _section(parser: argparse.ArgumentParser, level: str) -> str:
    rows = [_row(action) for action in _actions(parser) if not isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001 - as above
    table = "\n| argument | default | what it is |\n|---|---|---|\n" + "".join(rows) if rows else ""
    words = " ".join((parser.description or "").rstrip(".").split())
    return f"\n{level} `{parser.prog}`\n\n{words[:1].upper()}{words[1:]}.\n{table}"


def _actions(parser: argparse.ArgumentParser) -> Sequence[argparse.Action]:
    return [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]  # noqa: SLF001 - as above


def _row(action: argparse.Action) -> str:
    shown = _default(action)
    words = (action.help or "").replace("; default: %(default)s", "").replace("default: %(default)s", "")
    return f"| {_name(action)} | {shown} | {' '.join(words.split()).replace('|', _ESCAPED)} |\n"


def _default(action: argparse.Action) -> str:
    if action.default in ([], None, False, "", argparse.SUPPRESS):
        return ""
    switch = isinstance(action, argparse.BooleanOptionalAction)
    return f"`{action.option_strings[0] if switch else action.default}`"


def _name(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else ""
    if action.choices is not None and not value:
        value = f"{{{','.join(map(str, action.choices))}}}"
    if not action.option_strings:
        name = action.metavar if isinstance(action.metavar, str) else action.dest
        return f"`{name}`" if action.nargs != "?" else f"`[{name}]`"
    takes = action.nargs != 0 and not isinstance(action, argparse.BooleanOptionalAction)
    value = value or action.dest.upper()
    return f"`{' '.join([' / '.join(action.option_strings), *([value] if takes else [])])}`"


def main(path: Path) -> None:
    """Write the page."""
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
