"""The walkthrough is performed from an empty folder: each command ends as the page says, with its verdict."""

import re
import shlex
from io import StringIO
from pathlib import Path

from coreml_gate.cli import main
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from tests.docs.blocks import BLOCK
from tests.docs.walkthrough import HOMELESS_GIT, PAGE, output_of, performed
from tests.warm import ENVIRONMENT, WARM


def test_the_page_shows_what_its_commands_do(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert outcomes(performed(page, tmp_path, output_in_this_process)) == outcomes(page)


def test_the_page_ends_in_a_block_and_a_repair() -> None:
    verdicts = [found for _, *found in outcomes(PAGE.read_text(encoding="utf-8")) if found]
    assert ("FAIL", "ranker") in verdicts[1]
    assert {("", "precision"), ("", "hazards")} <= set(verdicts[1])
    assert "exit code 1" in PAGE.read_text(encoding="utf-8")
    assert ("PASS", "ranker") in verdicts[2]


def output_in_this_process(command: str, folder: Path) -> str:
    """As ``output_of``, but what the gate starts is forked from a process that all tests share."""
    gate, _, otherwise = command.partition(" || ")
    program, *arguments = shlex.split(gate)
    if program != "coreml-gate":
        return output_of(command, folder)
    out, err = (Screen(StringIO(), width=80) for _ in range(2))
    environment = {**ENVIRONMENT, **HOMELESS_GIT, "HOME": str(folder)}
    code = main(arguments, Surroundings(folder, environment, out, err, WARM))
    assert (code != 0) == (otherwise != ""), f"{command}: exit code {code}\n{err.file}"
    assert isinstance(out.file, StringIO)
    return out.file.getvalue()


def outcomes(page: str) -> list[list[object]]:
    """Of each command its line, the rows of the table with their status, and the checks that found something.

    The words of a report are tested where it is made.
    """
    consoles = [found["text"] for found in BLOCK.finditer(page) if found["language"] == "console"]
    commands = [part for text in consoles for part in re.split(r"^(?=\$ )", text, flags=re.MULTILINE) if part]
    return [
        [
            command.partition("\n")[0],
            *re.findall(r"^(PASS|WARN|FAIL|UNSURE) +(\w+)", command, flags=re.MULTILINE),
            *(("", check) for check in re.findall(r"^  ([a-z-]+): ", command, flags=re.MULTILINE)),
        ]
        for command in commands
    ]
