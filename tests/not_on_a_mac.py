"""Which tests presume something that a Mac does not have? The one table: ``conftest.py`` applies it.

docs/macos.md shows it. Everything else runs on a Mac, and in ``make test-fake-mac WHOLE=1``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class NotOnAMac:
    """One file or test that is skipped on macOS."""

    test: str
    """As pytest names it, without parameters."""
    reason: str
    parameter: str = ""
    """Of a test that is skipped with this parameter alone."""

    def holds(self, node: str) -> bool:
        """Whether a test, with its parameters as pytest names it, is meant."""
        name, _, parameters = node.partition("[")
        is_it = name == self.test or name.startswith(f"{self.test}::")
        return is_it and (not self.parameter or self.parameter in parameters.rstrip("]").split("-"))


_FORKED: Final = "children are forked on Linux only; a Mac starts each one anew"
_ADOPTED: Final = "a keeper adopts daemons by `PR_SET_CHILD_SUBREAPER`, which Linux has"
_REPLACED: Final = "a Mac has Core ML itself, which `install` does not replace"

NOT_ON_A_MAC: Final = (
    NotOnAMac("tests/children/test_warm.py", _FORKED),
    NotOnAMac("tests/children/test_keeper.py", _FORKED, "forked"),
    NotOnAMac("tests/children/test_keeper.py::test_a_daemon_of_the_child_ends_with_it", _ADOPTED),
    NotOnAMac("tests/children/test_keeper.py::test_a_gate_that_is_killed_takes_everything_with_it", _ADOPTED),
    NotOnAMac(
        "tests/children/test_opened.py::test_where_ci_is_set_compiled_readers_and_other_processes_are_seen",
        "files that other programs read are seen by inotify, which Linux has",
    ),
    NotOnAMac(
        "tests/doctor/test_command.py::test_off_a_mac_it_does_what_it_can_and_says_what_it_cannot",
        "it is about other systems",
    ),
    NotOnAMac(
        "tests/engines/test_machine.py::test_off_a_mac_the_thermal_state_is_unknown",
        "it is about other systems",
    ),
    NotOnAMac(
        "tests/docs/test_walkthrough.py::test_the_page_shows_what_its_commands_do",
        "the page was written on Linux; on a Mac, Core ML adds its findings",
    ),
    NotOnAMac("tests/mil/test_release.py::test_released_pages_are_not_resident", "it reads /proc"),
    NotOnAMac(
        "tests/rules/test_weights_in_memory.py::test_no_weight_stays_in_memory_once_the_rules_have_looked",
        "it reads /proc",
    ),
    NotOnAMac("tests/stand_in/test_installation.py::test_before_and_after_coremltools", _REPLACED),
    NotOnAMac("tests/stand_in/test_installation.py::test_another_native_module_is_not_replaced", _REPLACED),
)


def reason_against(node: str) -> str:
    """Why a test does not run on a Mac; empty when it does."""
    return next((each.reason for each in NOT_ON_A_MAC if each.holds(node)), "")


def rows() -> Iterator[str]:
    """The table's rows in Markdown."""
    for each in NOT_ON_A_MAC:
        what = f", `{each.parameter}`" if each.parameter else ""
        yield f"| `{each.test.removeprefix('tests/')}`{what} | {each.reason} |"
