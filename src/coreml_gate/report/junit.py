"""JUnit XML: one suite per model, one case per finding, as Jenkins and GitLab read it.

The first suite is about the run as a whole: whether there was a baseline, and findings that belong to no
model. Both tools show ``failure`` and ``error`` in red. An unsure finding is ``skipped`` with its message, or
an ``error`` if ``fail-on-unsure`` makes it block.
"""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from typing import Final

from coreml_gate.report.options import ReportOptions
from coreml_gate.verdict import Finding, SkippedVerdict, Status, Verdict

RUN: Final = "(run)"
"""Name of the first suite; no model can have this name."""
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot represent, not even escaped (section 2.2)."""


def render(verdict: Verdict, options: ReportOptions) -> str:
    """The document with its declaration; options have no effect, since it has no levels of detail."""
    del options
    root = ET.Element("testsuites", name="coreml-gate")
    _add_run(root, verdict)
    for model in verdict.models:
        suite = _add_suite(root, model.name, model.findings, fail_on_unsure=model.fail_on_unsure)
        if model.notes:
            ET.SubElement(suite, "system-out").text = legal("\n".join(model.notes))
    for skipped in verdict.skipped:
        _add_skipped_suite(root, skipped)
    _count(root)
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def legal(text: str) -> str:
    """The text without the characters that XML cannot represent."""
    return _ILLEGAL.sub("", text)


def _add_run(root: ET.Element, verdict: Verdict) -> None:
    suite = _add_suite(root, RUN, verdict.findings, fail_on_unsure=verdict.fail_on_unsure)
    case = ET.SubElement(suite, "testcase", name="baseline", classname=f"coreml-gate.{RUN}")
    if verdict.baseline.present:
        ET.SubElement(case, "system-out").text = legal(verdict.baseline.origin)
    else:
        ET.SubElement(case, "skipped", message=legal(verdict.baseline.origin))


def _add_suite(
    root: ET.Element, title: str, findings: tuple[Finding, ...], *, fail_on_unsure: bool
) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", name=legal(title))
    for name, finding in _named(findings):
        case = ET.SubElement(suite, "testcase", name=name, classname=f"coreml-gate.{legal(title)}")
        if finding.file:
            case.set("file", legal(finding.file))
        _add_result(case, finding, fail_on_unsure=fail_on_unsure)
    return suite


def _add_skipped_suite(root: ET.Element, model: SkippedVerdict) -> None:
    suite = ET.SubElement(root, "testsuite", name=legal(model.name))
    case = ET.SubElement(suite, "testcase", name="measured", classname=f"coreml-gate.{legal(model.name)}")
    ET.SubElement(case, "skipped", message=legal(model.reason))


def _add_result(case: ET.Element, finding: Finding, *, fail_on_unsure: bool) -> None:
    match finding.status:
        case Status.PASS:
            return
        case Status.WARN:
            ET.SubElement(case, "system-out").text = legal(_text(finding))
            return
        case Status.FAIL:
            tag = "failure"
        case Status.UNSURE if fail_on_unsure:
            tag = "error"
        case Status.UNSURE | Status.SKIPPED:
            tag = "skipped"
    result = ET.SubElement(case, tag, message=legal(finding.message))
    if tag != "skipped":
        result.set("type", legal(finding.check))
    result.text = legal(_text(finding))


def _text(finding: Finding) -> str:
    hint = (f"Hint: {finding.hint}",) if finding.hint else ()
    return "\n".join((finding.message, *hint, *finding.details))


def _named(findings: tuple[Finding, ...]) -> Iterator[tuple[str, Finding]]:
    """Each finding with a name that is unique within its model, because both tools merge equal names."""
    seen: Counter[str] = Counter()
    for finding in findings:
        name = legal(f"{finding.check}: {finding.subject}" if finding.subject else finding.check)
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name} ({seen[name]})"), finding


def _count(root: ET.Element) -> None:
    """Set the sums that both tools expect at each suite and at the root."""
    for element in (*root.findall("testsuite"), root):
        element.set("tests", str(len(list(element.iter("testcase")))))
        for plural, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            element.set(plural, str(len(list(element.iter(tag)))))
