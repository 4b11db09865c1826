"""Does the package still agree with the source when both compute in float32?

Only rounding may differ, so a failure means that the conversion is wrong, whatever the precision of the
package that ships.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from coreml_gate import figures
from coreml_gate.checks.check import Check, Column
from coreml_gate.checks.evidence import Evidence, file_and_line, skipped
from coreml_gate.checks.first_wrong import details, diagnosis_of, patch, place_of, sentence, way_out
from coreml_gate.checks.rounded_inputs import rounded_inputs
from coreml_gate.checks.rules import fix_in_words
from coreml_gate.config.limits import ParityLimits
from coreml_gate.criteria import (
    Group,
    Violation,
    also,
    by_output,
    comparable,
    parity_violations,
    sample_line,
    violation_of,
    violations,
    worst_relative_error,
)
from coreml_gate.record import ParityDiagnosis, RefusedShape, RuleMatch
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted, names_and_more, number, way_to_another_function

NAME: Final = "parity"
_HINT: Final = (
    "both sides computed in float32, so rounding is not the cause. Try another route "
    '(conversion = "trace" or "export"), or rewrite the operation that the converter gets wrong.'
)
_FROZEN_VALUES: Final = "frozen-values"
_CAUSES: Final = {
    _FROZEN_VALUES: "The trace is fixed to sample 0 at {where}, where other samples take another branch.",
    "active-dropout": "At {where} dropout is active in the source, and the package has none.",
    "packed-sequence": "At {where} the source packs sequences by their lengths, which the package ignores.",
}
"""Rules that explain why an output differs although no operation of the package is wrong: values that a trace
froze, and behaviour that only the source has (apple/coremltools#1991, apple/coremltools#1616)."""
_FROZEN_SIZE: Final = (
    "the conversion may have frozen a size that was computed in Python: let an operation compute it "
    "(`flatten`, -1 in `reshape`), or allow only the shapes that work."
)
_ALLOW_LESS: Final = "allow only the shapes that the source accepts."
_REFUSING: Final = (
    ("package", "the package rejects", " and the source accepts", Status.FAIL, _FROZEN_SIZE),
    ("source", "the source refuses", " and the package accepts", Status.WARN, _ALLOW_LESS),
    ("both", "source and package reject", "", Status.WARN, _ALLOW_LESS),
)


@dataclass(frozen=True)
class _CauseByRule:
    """The cause that a rule found, with its line and fix."""

    sentence: str
    hint: str
    file: str
    line: int | None


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding per output, by the worst relative error of all samples; others on shapes and inputs."""
    of_inputs = (*_at_other_shapes(evidence), *rounded_inputs(evidence, NAME))
    if evidence.head.parity or of_inputs:
        groups = by_output(evidence.head.parity)
        return (*of_inputs, *(_finding(output, group, evidence) for output, group in groups.items()))
    source = evidence.head.source
    if source is not None and source.kind == "package":
        return (skipped(NAME, "outputs", "the source is a package: there is nothing to compare it with."),)
    return (evidence.unmeasured(NAME, "outputs", lost=Status.FAIL),)


def _finding(output: str, group: Group, evidence: Evidence) -> Finding:
    limits = evidence.limits.parity
    raised = parity_violations(group, limits)
    base = evidence.base_parity.get(output, ())
    diagnosis = diagnosis_of(evidence, ("samples",)) if raised else None
    known = _cause_by_rule(evidence, group) if raised else None
    file, line = place_of(diagnosis) if known is None else (known.file, known.line)
    return Finding(
        check=NAME,
        status=raised[0].status if raised else Status.PASS,
        subject=output,
        message=f"output `{output}`: {_failure(raised[0], diagnosis) if raised else _pass(group, limits)}"
        + (sentence(diagnosis) if known is None else known.sentence),
        value=None if violations.unfit(group, Status.FAIL) else worst_relative_error(group),
        base=worst_relative_error(base),
        limit=limits.max_error,
        unit="of max",
        hint=_way_out(known, diagnosis, evidence) if raised else "",
        patch=patch(diagnosis, evidence.config.name),
        details=(
            *details(diagnosis),
            *also(raised),
            *(evidence.toolchain_changes if base else ()),
            *_no_floor(evidence, raised),
            *(sample_line(comparison) for comparison in group),
        ),
        file=file,
        line=line,
    )


def _way_out(known: _CauseByRule | None, diagnosis: ParityDiagnosis | None, evidence: Evidence) -> str:
    """The fix: a rule's, if a rule explains the failure, else that of the first wrong operation."""
    own = known.hint if known else _of_the_operation(evidence, diagnosis)
    return own or _of_a_function(evidence) or evidence.other_weights or _of_a_team(evidence) or _HINT


def _of_the_operation(evidence: Evidence, diagnosis: ParityDiagnosis | None) -> str:
    """The fix of a known bug or a route that agrees, else that of a rule on the same line."""
    route = diagnosis.other_route if diagnosis else None
    known = diagnosis is not None and (diagnosis.first_wrong.hint or (route and route.agrees))
    return (not known and _by_rule(evidence, *place_of(diagnosis))) or way_out(diagnosis)


def _by_rule(evidence: Evidence, file: str, line: int | None) -> str:
    """What a rule on silent faults says about this line, with its fix; empty if none matches."""
    if line is None:
        return ""
    for match in evidence.head.rules or ():
        said = next((each for each in match.places if (each.file, each.line) == (file, line)), None)
        if match.severity == "silent" and said is not None:
            return f"{said.text}. {fix_in_words(match.fix)[0]}"
    return ""


def _of_a_function(evidence: Evidence) -> str:
    """The hint for a package with several functions, if the configuration chose none of them."""
    package = evidence.head.package
    if package is None or evidence.config.function is not None:
        return ""
    return way_to_another_function(package.function, package.other_functions)


def _of_a_team(evidence: Evidence) -> str:
    """The hint for a team's script, which has no route to choose but may convert another module."""
    facts = evidence.head.conversion
    if facts is None or not facts.maker:
        return ""
    return (
        f"`{facts.maker}` converts something else than `{evidence.config.source}` gives, as with a softmax "
        "or a scale around it, another mode or other weights: let both build the same module."
    )


def _no_floor(evidence: Evidence, raised: tuple[Violation, ...]) -> tuple[str, ...]:
    source = evidence.head.source
    if not raised or source is None or not source.no_float64:
        return ()
    return (
        f"the source's own rounding is unknown, because it could not run in float64: {source.no_float64}",
    )


def _failure(violation: Violation, diagnosis: ParityDiagnosis | None) -> str:
    if diagnosis is not None and diagnosis.first_wrong.unsteady:
        return f"{violation.message}: the source itself returns other results when it runs again."
    return f"{violation.message}: the conversion is wrong.{violation.remedy}"


def _pass(group: Group, limits: ParityLimits) -> str:
    worst = max(comparable(group), key=lambda comparison: comparison.relative_error)
    if worst.max_abs_error == 0:
        return f"equal to the source in {counted(len(group), 'sample')}."
    near_ties = violations.near_ties(group, limits.top1_margin)
    return f"{violations.describe_error(worst, limits.max_error)}.{near_ties}"


def _cause_by_rule(evidence: Evidence, group: Group) -> _CauseByRule | None:
    """The cause of a difference that a rule knows; ``None`` if an operation is wrong or no rule matches."""
    diagnosis = evidence.head.parity_diagnosis
    if diagnosis is not None and diagnosis.first_wrong.operation:
        return None
    matches = (match for match in evidence.head.rules or () if match.rule in _CAUSES and match.places)
    return next((_cause(match) for match in matches if _explains(match, evidence, group)), None)


def _explains(match: RuleMatch, evidence: Evidence, group: Group) -> bool:
    """Values frozen from sample 0 cannot explain an error on sample 0."""
    if match.rule != _FROZEN_VALUES:
        return True
    first = tuple(each for each in group if each.sample == 0)
    return bool(first) and not parity_violations(first, evidence.limits.parity)


def _cause(match: RuleMatch) -> _CauseByRule:
    place = match.places[0]
    where = place.file if place.line is None else f"{place.file}:{place.line}"
    sentence = _CAUSES[match.rule].format(where=where or f"`{place.place}`")
    return _CauseByRule(f" {sentence}", fix_in_words(match.fix)[0], place.file, place.line)


def _at_other_shapes(evidence: Evidence) -> Iterator[Finding]:
    """Findings on other shapes that the configuration allows: refused ones, then those with wrong outputs.

    An allowed shape is a promise to the app that the package must keep.
    """
    yield from _refused(evidence)
    yield from _answered_otherwise(evidence)


def _refused(evidence: Evidence) -> Iterator[Finding]:
    for by, refuses, takes, status, hint in _REFUSING:
        found = [shape for shape in evidence.head.refused_shapes if shape.by == by]
        if found:
            place = found[0].place
            file, line = file_and_line(place)
            known = _why_refused(evidence, file, line) if by == "package" else ""
            yield Finding(
                check=NAME,
                status=status,
                subject="shapes",
                message=f"{refuses} {_named(found)}, which the configuration allows{takes}: "
                + (f"{place}: " if place else "")
                + found[0].message,
                hint=known or found[0].hint or hint,
                details=tuple(f"{each.shape}: {each.message}" for each in found),
                file=file,
                line=line,
            )


def _why_refused(evidence: Evidence, file: str, line: int | None) -> str:
    """The explanation of a rule, which often knows why the operation was given a wrong value."""
    matches = [match for match in evidence.head.rules or () if match.rule in _CAUSES and match.places]
    always = next((match for match in matches if match.rule != _FROZEN_VALUES), None)
    if always is not None:
        cause = _cause(always)
        return f"{cause.sentence.strip()} {cause.hint}"
    return _by_rule(evidence, file, line)


def _named(shapes: Sequence[RefusedShape]) -> str:
    return names_and_more([f"`{each.shape}`" for each in shapes])


def _answered_otherwise(evidence: Evidence) -> Iterator[Finding]:
    said = {each.name: violation_of(each, evidence.limits.parity) for each in evidence.head.allowed_shapes}
    wrong = {name: text for name, text in said.items() if text is not None}
    if not wrong:
        return
    about = diagnosis_of(evidence, wrong)
    known = _cause_by_rule(evidence, evidence.head.parity)
    file, line = place_of(about) if known is None else (known.file, known.line)
    yield Finding(
        check=NAME,
        status=Status.FAIL,
        subject="shapes",
        message=f"{next(iter(wrong.values()))}: the conversion is wrong at {len(wrong)} of {len(said)} other "
        f"shapes that the configuration allows.{sentence(about) if known is None else known.sentence}",
        hint=(way_out(about) if known is None else known.hint) or _FROZEN_SIZE,
        details=tuple(wrong.values()),
        file=file,
        line=line,
    )


CHECK: Final = Check(
    NAME,
    "Does the package match the source in float32?",
    run,
    limit=f"{number(ParityLimits().max_error)} of the greatest value",
    why="The package computes something else than the model even in float32, so on every compute unit of "
    "every phone.",
    fix=(
        "The finding names the first wrong operation and its line. Rewrite it, or use another "
        '`conversion` route: `conversion = "trace"` or `"export"`.'
    ),
    accept="`limits.parity` sets the allowed error as a share of the greatest reference value.",
    page="docs/first-wrong-operation.md",
    absolute=True,
    numerical=True,
    column=Column(
        "Parity",
        "numbers",
        "greatest error of the worst output, as a share of the greatest reference value",
        figures.factor,
        figures.error,
        legend="Parity: greatest error ÷ greatest reference value, in float32.",
    ),
)
