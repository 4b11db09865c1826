"""Lines of the log that GitHub reads as commands: only ours, and as many as it shows."""

from coreml_gate.github.publishing.annotations import annotations_of, commands, notice, stop_commands
from coreml_gate.verdict import Status
from tests.builders import finding, model_verdict, verdict
from tests.report.verdicts import SITUATIONS

EVIL = "x%0A::set-output name=a::b\r\n::error file=/etc/passwd::y,z"


def lines(*findings: object, **model: object) -> list[str]:
    return list(commands(annotations_of(verdict(model_verdict(*findings, **model)))))  # type: ignore[arg-type]


def test_a_failure_stands_at_its_line() -> None:
    failure = finding(
        status=Status.FAIL, message="0.3, allowed 0.1.", hint="see `x`.", file="models/net.py", line=41
    )

    assert lines(failure) == [
        "::error file=models/net.py,line=41,title=digits%3A parity::0.3, allowed 0.1.%0AHint: see `x`."
    ]


def test_levels_follow_statuses_and_failures_come_first() -> None:
    found = lines(*(finding(status=status, message=status) for status in Status))

    assert [line.partition(" ")[0] for line in found] == ["::error", "::warning", "::notice"]


def test_foreign_text_cannot_write_a_command() -> None:
    (line,) = lines(finding(status=Status.FAIL, check=EVIL, message=EVIL, file=EVIL), name=EVIL)

    assert "\n" not in line
    assert "\r" not in line
    assert line.startswith("::error title=x%250A%3A%3Aset-output")
    assert ",line=" not in line


def test_a_file_outside_of_the_repository_is_not_named() -> None:
    for path in ("/etc/passwd", "../x.py", "a/../../x.py"):
        (line,) = lines(finding(status=Status.FAIL, file=path, message="m"))
        assert line == "::error title=digits%3A parity::m"


def test_no_more_than_github_shows() -> None:
    found = lines(*(finding(status=Status.FAIL, message=str(number)) for number in range(25)))

    assert len(found) == 11
    assert found[-1] == "the report has 15 more annotations: GitHub shows 10 of a level."


def test_the_hostile_report_gives_single_lines() -> None:
    found = list(commands(annotations_of(SITUATIONS["hostile"]())))

    assert found
    assert all(line.startswith("::") and "\n" not in line for line in found)


def test_commands_are_off_while_foreign_text_is_printed() -> None:
    assert stop_commands("t0ken") == ("::stop-commands::t0ken", "::t0ken::")
    assert notice("50%\nmore", "warning") == "::warning title=coreml-gate::50%25%0Amore"
