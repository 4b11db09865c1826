"""SARIF 2.1.0 (OASIS): one rule per check and one result per finding that fails, warns or cannot tell."""

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from coreml_gate import __version__
from coreml_gate.report.escape import plain
from coreml_gate.report.options import ReportOptions
from coreml_gate.verdict import Finding, ModelVerdict, Status, Verdict

VERSION: Final = "2.1.0"
SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
INFORMATION: Final = "https://github.com/coreml-gate/coreml-gate"
FINGERPRINT: Final = "coremlGateFinding/v1"
QUESTIONS: Final = {
    "source": "Can the source be imported, built and run?",
    "conversion": "Does the source convert to Core ML?",
    "interface": "Can the app still call the package as it calls the baseline?",
    "size": "Is the package small enough?",
    "memory": "Do weights and activations fit the device?",
    "parity": "Does the package answer like the source in float32?",
    "precision": "Does the package survive half precision and compression?",
    "evaluate": "Does the package still reach the model's own metric?",
}
"""The rules' descriptions; a check without one is described by its name."""
LEVELS: Final = {Status.FAIL: "error", Status.WARN: "warning", Status.UNSURE: "note"}

Json = dict[str, Any]


def render(verdict: Verdict, options: ReportOptions) -> str:
    """The log file with one run; ``options.config_file`` is blamed where a finding names no file."""
    checks = list(dict.fromkeys(finding.check for model in verdict.models for finding in model.findings))
    results = [
        _result(model, finding, checks.index(finding.check), verdict, options)
        for model in verdict.models
        for finding in model.findings
        if finding.status in LEVELS
    ]
    run = {
        "tool": {"driver": _driver(checks)},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return (
        json.dumps({"$schema": SCHEMA, "version": VERSION, "runs": [run]}, indent=2, ensure_ascii=False)
        + "\n"
    )


def _driver(checks: list[str]) -> Json:
    return {
        "name": "coreml-gate",
        "version": __version__,
        "informationUri": INFORMATION,
        "rules": [_rule(check) for check in checks],
    }


def _rule(check: str) -> Json:
    question = _message(QUESTIONS.get(check, check))
    return {"id": plain(check), "name": plain(check), "shortDescription": question}


def _result(
    model: ModelVerdict, finding: Finding, rule: int, verdict: Verdict, options: ReportOptions
) -> Json:
    blocks = finding.status is Status.UNSURE and verdict.fail_on_unsure
    return {
        "ruleId": plain(finding.check),
        "ruleIndex": rule,
        "level": "error" if blocks else LEVELS[finding.status],
        "message": _message(f"{model.name}: {finding.message} {_hint(finding)}"),
        "locations": [_location(model, finding, options)],
        "partialFingerprints": {FINGERPRINT: fingerprint(model.name, finding)},
        "properties": _properties(model, finding),
    }


def fingerprint(model: str, finding: Finding) -> str:
    """What makes a finding the same one in the next run: model, check and subject, and no number."""
    identity = json.dumps([model, finding.check, finding.subject])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _hint(finding: Finding) -> str:
    return f"Hint: {finding.hint}" if finding.hint else ""


def _message(text: str) -> Json:
    """Plain text in which nothing is a placeholder (3.11.5) or an embedded link (3.11.6)."""
    return {"text": plain(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")}


def _location(model: ModelVerdict, finding: Finding, options: ReportOptions) -> Json:
    blamed = is_inside(finding.file)
    uri = finding.file if blamed else options.config_file
    line = (finding.line if blamed else None) or 1
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(uri, safe="/"), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": line},
        },
        "logicalLocations": [{"name": plain(model.name), "kind": "module"}],
    }


def is_inside(file: str) -> bool:
    """Whether the path can only lead into the repository."""
    path = PurePosixPath(file)
    return file != "" and file == plain(file) and not path.is_absolute() and ".." not in path.parts


def _properties(model: ModelVerdict, finding: Finding) -> Json:
    figures = {"value": finding.value, "base": finding.base, "limit": finding.limit}
    known = {name: figure for name, figure in figures.items() if figure is not None}
    named = {"model": model.name, "subject": finding.subject, "status": finding.status.value}
    return named | known | ({"unit": finding.unit} if finding.unit else {})
