"""Texts on their way to a terminal or a CI log."""

from io import StringIO

import pytest
from rich.table import Table

from coreml_gate.errors import ConfigError
from coreml_gate.foreign.log import RunnerCommand, harmless, one_line, only_harmless, say_error
from coreml_gate.streams import Screen


def console(width: int = 80) -> Screen:
    return Screen(StringIO(), width=width)


def printed(on: Screen) -> str:
    assert isinstance(on.file, StringIO)
    return on.file.getvalue()


@pytest.mark.parametrize("colons", [2, 3, 4, 5])
def test_no_number_of_colons_begins_a_command(colons: int) -> None:
    assert "::" not in one_line(f"a {':' * colons}error")
    assert not harmless(f"\u3000{':' * colons}error").strip().startswith("::")


def test_qualified_names_can_still_be_copied() -> None:
    assert one_line("skip `common::fuse_conv_batchnorm`") == "skip `common::fuse_conv_batchnorm`"
    assert harmless("std::vector\n  a::b") == "std::vector\n  a::b"


@pytest.mark.parametrize("command", ["##[error]x", "##vso[task.setvariable]x", "##teamcity[x]", "###[x]"])
def test_commands_of_other_runners_are_taken_apart(command: str) -> None:
    for shown in (one_line(f"a {command}"), harmless(f"a {command}")):
        assert "##[" not in shown
        assert "##v" not in shown
        assert "##t" not in shown


def test_whatever_is_printed_passes_the_door() -> None:
    table = Table("a\x1b[31mb")
    table.add_row("::error::\u202ex")
    out = console()
    with only_harmless(out):
        out.print("a\x9bb\n::error::c", markup=False)
        out.print(table)
        out.out("::warning::d")
    out.print("::after::", markup=False)
    lines = printed(out).splitlines()
    assert lines[:2] == ["ab", ": :error::c"]
    assert not any(line.lstrip().startswith("::") for line in lines[:-1])
    assert "\x1b" not in printed(out)
    assert "\u202e" not in printed(out)
    assert lines[-1] == "::after::"


def test_a_command_of_our_own_is_one_line_whatever_its_values_hold() -> None:
    out = console()
    with only_harmless(out):
        out.print(RunnerCommand("::warning::a\n::error::b\x1b[31m"))
    assert printed(out) == "::warning::a%0A::error::b[31m\n"


def test_an_error_shows_message_list_hint_and_example_each_on_lines_of_its_own() -> None:
    err = console()
    say_error(
        err, ConfigError("`a`\nb:", "do\nc.", lines=("line 1: d\n::e", "line 2: f"), example="x = 1\ny = 2")
    )
    assert printed(err).splitlines() == [
        "coreml-gate: `a` b:",
        "  line 1: d : :e",
        "  line 2: f",
        "Hint: do c.",
        "",
        "x = 1",
        "y = 2",
        "`coreml-gate explain config-error` says more.",
    ]
