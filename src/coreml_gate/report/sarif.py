"""SARIF 2.1.0 (OASIS): one rule per check and one result per finding that fails, warns or is unsure."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from coreml_gate.checks import topics
from coreml_gate.foreign.escape import plain
from coreml_gate.report.options import ReportOptions
from coreml_gate.untyped import Json
from coreml_gate.verdict import FAIL_EXIT_CODE, SEVERITY, Finding, Status, Verdict
from coreml_gate.version import __version__
from coreml_gate.wording import counted

VERSION: Final = "2.1.0"
SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
INFORMATION: Final = "https://github.com/coreml-gate/coreml-gate"
FINGERPRINT: Final = "coremlGateFinding/v1"
MAX_RESULTS: Final = 5_000
"""Most results that code scanning keeps of one run (docs.github.com, SARIF upload limits)."""
LEVELS: Final = {Status.FAIL: "error", Status.WARN: "warning", Status.UNSURE: "note"}

JsonObject = dict[str, Json]


def render(verdict: Verdict, options: ReportOptions) -> str:
    """The log file with one run; a finding without a file blames ``options.config_file``."""
    found = [*_of_the_run(verdict), *verdict.of_models]
    checks = list(dict.fromkeys(finding.check for _, finding in found))
    shown = sorted(
        ((model, finding) for model, finding in found if finding.status in LEVELS),
        key=lambda pair: SEVERITY.index(pair[1].status),
        reverse=True,
    )
    run = {
        "tool": {"driver": _driver(checks)},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(verdict, len(shown) - MAX_RESULTS)],
        "results": [
            _result(model, finding, checks.index(finding.check), verdict, options)
            for model, finding in shown[:MAX_RESULTS]
        ],
    }
    return (
        json.dumps({"$schema": SCHEMA, "version": VERSION, "runs": [run]}, indent=2, ensure_ascii=False)
        + "\n"
    )


def _of_the_run(verdict: Verdict) -> Iterator[tuple[str, Finding]]:
    """Findings on the run, under an empty model name."""
    return (("", finding) for finding in verdict.findings)


def _invocation(verdict: Verdict, left_out: int) -> JsonObject:
    """Whether the gate could do its work, and everything that is not a result."""
    notices = [] if verdict.baseline.present else [f"no baseline: {verdict.baseline.origin}"]
    if left_out > 0:
        notices.append(
            f"report.json has {counted(left_out, 'more result')}: code scanning keeps {MAX_RESULTS}."
        )
    return {
        "executionSuccessful": verdict.exit_code <= FAIL_EXIT_CODE,
        "exitCode": verdict.exit_code,
        "toolExecutionNotifications": [{"level": "note", "message": _message(each)} for each in notices],
    }


def _driver(checks: list[str]) -> JsonObject:
    return {
        "name": "coreml-gate",
        "version": __version__,
        "informationUri": INFORMATION,
        "rules": [_rule(check) for check in checks],
    }


def _rule(check: str) -> JsonObject:
    known = topics().get(check)
    question = _message(check if known is None else known.question)
    return {"id": plain(check), "name": plain(check), "shortDescription": question}


def _result(model: str, finding: Finding, rule: int, verdict: Verdict, options: ReportOptions) -> JsonObject:
    title = f"{model}: " if model else ""
    blocks = finding.status is Status.UNSURE and verdict.fail_on_unsure
    return {
        "ruleId": plain(finding.check),
        "ruleIndex": rule,
        "level": "error" if blocks else LEVELS[finding.status],
        "message": _message(f"{title}{finding.message} {_hint(finding)}"),
        "locations": [_location(model, finding, options)],
        "partialFingerprints": {FINGERPRINT: fingerprint(model, finding)},
        "properties": _properties(model, finding),
    }


def fingerprint(model: str, finding: Finding) -> str:
    """Identifies a finding across runs: model, check and subject, without numbers."""
    identity = json.dumps([model, finding.check, finding.subject])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _hint(finding: Finding) -> str:
    return f"Hint: {finding.hint}" if finding.hint else ""


def _message(text: str) -> JsonObject:
    """Plain text with placeholders (3.11.5) and embedded links (3.11.6) escaped."""
    return {"text": plain(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")}


def _location(model: str, finding: Finding, options: ReportOptions) -> JsonObject:
    blamed = is_inside(finding.file)
    uri = finding.file if blamed else options.config_file
    line = (finding.line if blamed else None) or 1
    place: JsonObject = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(uri, safe="/"), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": line},
        },
    }
    return place | ({"logicalLocations": [{"name": plain(model), "kind": "module"}]} if model else {})


def is_inside(file: str) -> bool:
    """Whether the path certainly stays within the repository."""
    path = PurePosixPath(file)
    return file != "" and file == plain(file) and not path.is_absolute() and ".." not in path.parts


def _properties(model: str, finding: Finding) -> JsonObject:
    figures = {"value": finding.value, "base": finding.base, "limit": finding.limit}
    known = {name: figure for name, figure in figures.items() if figure is not None}
    named = {"model": model, "subject": finding.subject, "status": finding.status.value}
    return named | known | ({"unit": finding.unit} if finding.unit else {})
