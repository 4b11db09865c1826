"""Does the package agree with the source on samples that the author did not think of?

The user's samples are scaled, rounded, made positive, negative, zero or equal. Only samples on which the
source itself is defined and stable count. The model may never see such inputs, so a difference is a warning.
If the original samples already differ, parity fails and this check is skipped.
"""

from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence, skipped
from coreml_gate.checks.first_wrong import diagnosis_of, place_of, sentence, way_out
from coreml_gate.criteria import FAR, has_parity, violation_of
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted, names_and_more

NAME: Final = "adversarial"


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding for all perturbed samples and outputs."""
    head = evidence.head
    if not evidence.config.adversarial:
        return (skipped(NAME, "outputs", "adversarial = false."),)
    if head.source is not None and head.source.kind == "package":
        return (skipped(NAME, "outputs", "the source is a package: there is nothing to compare it with."),)
    if not head.parity:
        return (evidence.unmeasured(NAME, "outputs"),)
    if not has_parity(head.parity, evidence.limits.parity):
        return (skipped(NAME, "outputs", "the unchanged samples already differ: see parity."),)
    return (_finding(evidence) if head.adversarial else _without_samples(evidence),)


def _without_samples(evidence: Evidence) -> Finding:
    if evidence.head.problem is not None:
        return evidence.unmeasured(NAME, "outputs")
    images = [item.image for item in evidence.config.input]
    if images and all(images) and not (evidence.head.untried or evidence.head.untried_changes):
        return skipped(
            NAME, "outputs", "images are not changed, and there was no other changed sample to compare."
        )
    unfit = "on every changed sample the source itself is undefined or unstable"
    return skipped(NAME, "outputs", f"{unfit}{_untried(evidence)}.")


def _untried(evidence: Evidence) -> str:
    """Where nothing was compared, as the end of a sentence; empty where there is no such sample."""
    names = names_and_more([f"`{name}`" for name in evidence.head.untried])
    endless = f"; not compared on {names}, because the source did not finish there" if names else ""
    left_out = evidence.head.untried_changes
    costly = f"; {counted(len(left_out), 'change')} not tried, because each run is costly" if left_out else ""
    return endless + costly


def _finding(evidence: Evidence) -> Finding:
    said = {each.name: violation_of(each, evidence.limits.parity) for each in evidence.head.adversarial}
    wrong = {name: text for name, text in said.items() if text is not None}
    total = counted(len(said), "changed sample")
    diagnosis = diagnosis_of(evidence, wrong)
    if all(name.startswith(FAR) for name in wrong):
        but = f", except `{next(iter(wrong))}`, far from all samples: see the details" if wrong else ""
        return Finding(
            check=NAME,
            status=Status.PASS,
            subject="outputs",
            message=f"the package matches the source on {total}{but}{_untried(evidence)}.",
            details=(
                *wrong.values(),
                *filter(None, (way_out(diagnosis),)),
                *said,
                *(f"not tried: {name}" for name in evidence.head.untried_changes),
            ),
        )
    file, line = place_of(diagnosis)
    return Finding(
        check=NAME,
        status=Status.WARN,
        subject="outputs",
        message=f"{next(iter(wrong.values()))}: the conversion is wrong for such inputs ({len(wrong)} of "
        f"{total} differ{_untried(evidence)}).{sentence(diagnosis)}",
        hint=way_out(diagnosis)
        or "rewrite the operation that the converter gets wrong, or make sure that the app never passes "
        "such inputs.",
        details=tuple(wrong.values()),
        file=file,
        line=line,
    )


CHECK: Final = Check(
    NAME,
    "Does the package match the source on changed samples?",
    run,
    limit="that of parity, as a warning",
    why=(
        "On inputs derived from the samples (scaled, rounded, zero, equal) the package returns other "
        "results than the model. An app will see such inputs sooner or later."
    ),
    fix="As for `parity`; the finding names the changed sample that shows it.",
    accept="`adversarial = false` skips this check for the model.",
    page="docs/first-wrong-operation.md",
    overridable=False,
)
