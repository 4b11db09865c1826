"""Many small steps, each within the limits: what they add up to since the last release."""

from collections.abc import Iterator
from typing import Final

from coreml_gate.config import Config
from coreml_gate.frozen import changed
from coreml_gate.gate.git import short
from coreml_gate.github.evidence.untrusted_record import rejudge
from coreml_gate.record import Record
from coreml_gate.verdict import BaselineFacts, Finding, Status, Verdict

CHECK: Final = "creep"


def drift_findings(
    config: Config, head: Record, release: Record, tag: str, against_base: Verdict
) -> tuple[Finding, ...]:
    """Failures against the last release that are none against the baseline, as warnings.

    They do not block: the pull request at hand took only the last step.
    """
    facts = BaselineFacts(origin=f"release {tag}", commit=release.commit, present=True)
    since = rejudge(config, head, release, facts)
    known = set(_failures(against_base))
    where = f"release `{tag}`" if release.commit is None else f"release `{tag}` ({short(release.commit)})"
    return tuple(
        changed(
            finding,
            check=CHECK,
            status=Status.WARN,
            message=f"since {where}, {finding.check} of `{model.name}`: {finding.message}",
        )
        for model in since.models
        for finding in model.findings
        if finding.status is Status.FAIL
        and finding.base is not None
        and (model.name, finding.check, finding.subject) not in known
    )


def _failures(verdict: Verdict) -> Iterator[tuple[str, str, str]]:
    for model in verdict.models:
        for finding in model.findings:
            if finding.status is Status.FAIL or finding.accepted is not None:
                yield model.name, finding.check, finding.subject
