"""Do our scripts and the Makefile keep to what every Mac has: bash 3.2, GNU make 3.81, BSD's tools?

No Linux distribution packages the two, so this is a check of what each of them lacks, from the release notes
of bash 4.0 to 5.2 and of make 3.82 to 4.4, and from the manual pages of macOS. Where they are built
(``make test-old-tools``), test_bash_and_make.py runs the scripts and the Makefile by them.
"""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SCRIPTS: Final = sorted([ROOT / ".ci/run", *ROOT.glob(".ci/*.sh"), *ROOT.glob("action/*.sh")])
MAKEFILE: Final = ROOT / "Makefile"

NEWER_THAN_BASH_3_2: Final = {
    "associative arrays (4.0)": r"\b(declare|local|typeset) +-\w*A",
    "global variables from a function (4.2)": r"\b(declare|typeset) +-\w*g",
    "name references (4.3)": r"\b(declare|local|typeset) +-\w*n\b",
    "mapfile and readarray (4.0)": r"\b(mapfile|readarray)\b",
    "coproc (4.0)": r"\bcoproc\b",
    "case of words (4.0)": r"\$\{\w+(\^\^?|,,?)",
    "operators of expansion (4.4)": r"\$\{\w+@[A-Za-z]\}",
    "|& and &>> (4.0)": r"\|&|&>>",
    "fall-through in case (4.0)": r";&|;;&",
    "a step in a brace expansion (4.0)": r"\{\w+\.\.\w+\.\.\w+\}",
    "negative indices (4.2)": r"\$\{\w+\[-\d",
    "wait -n (4.3)": r"\bwait +-\w*n",
    "test -v (4.2)": r"\[\[? +-v ",
    "printf of times (4.2)": r"printf[^\n]*%\(",
    "globstar, lastpipe (4.0, 4.2)": r"shopt[^\n]*(globstar|lastpipe)",
    "read -i, -N, -t with a fraction (4.0)": r"\bread +(-\w+ +)*-(i|N|t *\d*\.)",
    "$EPOCHSECONDS, $BASHPID (5.0, 4.0)": r"\$\{?(EPOCH\w+|BASHPID|SRANDOM)",
}
NOT_OF_BSD: Final = {
    "sed -i without a suffix": r"\bsed +(-\w+ +)*-i(?! *'')",
    "sed -r": r"\bsed +(-\w+ +)*-\w*r",
    "escapes in sed's replacement": r"\bsed\b[^\n]*s/[^/\n]*/[^/\n]*\\[tn]",
    "grep -P": r"\bgrep +(-\w+ +)*-\w*P",
    "long options of coreutils": r"(^|[ |;&(])(cp|ls|rm|mv|ln|stat|date|du|sort|tail|head|touch) +--\w",
    "stat -c, date -d, base64 -w": r"\bstat +-c|\bdate +-d|\bbase64 +-w",
    "find -printf": r"\bfind\b[^\n]*-printf",
    "commands that macOS lacks": r"(^|[ |;&(])(nproc|timeout|tac|md5sum|setsid|sha1sum)\b",
}
NEWER_THAN_MAKE_3_81: Final = {
    "shell assignment (4.0)": r"^\w+ *!=",
    "POSIX assignment (4.0)": r"^\w+ *:::?=",
    ".ONESHELL, .RECIPEPREFIX (3.82)": r"^\.(ONESHELL|RECIPEPREFIX|EXTRA_PREREQS|NOTINTERMEDIATE)",
    "grouped targets (4.3)": r"^[^\t#]*&:",
    "undefine, private (3.82)": r"^(undefine|private|override +undefine)\b",
    "functions of 4.x": r"\$\((file|guile|let|intcmp) ",
    "define with = (3.82)": r"^define +\w+ *[:+?]?=",
}


def found(table: dict[str, str], text: str) -> list[str]:
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [what for what, pattern in table.items() if re.search(pattern, code, re.MULTILINE)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_runs_on_bash_3_2_with_the_tools_of_macos(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert found(NEWER_THAN_BASH_3_2, text) == []
    assert found(NOT_OF_BSD, text) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_an_array_that_may_be_empty_is_expanded_so_that_bash_3_2_takes_it(script: Path) -> None:
    """Up to bash 4.3 ``"${name[@]}"`` of an empty array is an unbound variable under ``set -u``."""
    text = script.read_text(encoding="utf-8")
    filled = set(re.findall(r"\b(\w+)=\((?!\))", text))
    plain = set(re.findall(r'(?<!\+)"\$\{(\w+)\[@\]\}"', text))
    assert plain - filled == set()


def test_the_makefile_is_of_make_3_81_and_its_recipes_of_bsd() -> None:
    text = MAKEFILE.read_text(encoding="utf-8")
    assert found(NEWER_THAN_MAKE_3_81, text) == []
    assert found(NOT_OF_BSD, text) == []


@pytest.mark.parametrize(
    ("table", "line"),
    [
        (NEWER_THAN_BASH_3_2, "declare -A seen"),
        (NEWER_THAN_BASH_3_2, 'echo "${name,,}"'),
        (NEWER_THAN_BASH_3_2, "mapfile -t lines <file"),
        (NEWER_THAN_BASH_3_2, "wait -n"),
        (NOT_OF_BSD, "sed -i s/a/b/ file"),
        (NOT_OF_BSD, r"sed -E 's/:/\t/'"),
        (NOT_OF_BSD, "cp --parents a b"),
        (NOT_OF_BSD, "timeout 5 make"),
        (NEWER_THAN_MAKE_3_81, "VERSION != git describe"),
        (NEWER_THAN_MAKE_3_81, "a b &: c"),
    ],
)
def test_the_check_finds_what_it_looks_for(table: dict[str, str], line: str) -> None:
    assert len(found(table, line)) == 1
    assert found(table, f"# {line}") == []
