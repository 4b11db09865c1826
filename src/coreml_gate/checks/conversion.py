"""Does the source convert to a package?"""

from collections.abc import Iterator, Mapping
from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence, skipped
from coreml_gate.checks.rules import REPORTED_BY_CONVERSION
from coreml_gate.criteria.sentences import time_by_step
from coreml_gate.record import ConversionFacts, MissingOperation, RefusedOperation
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted, first_and_more, listed, megabytes, number

NAME: Final = "conversion"
SUBJECT: Final = "package"

_WORDS: Final[Mapping[str, str]] = {
    "failed": "the converter rejected it",
    "crashed": "the converter crashed",
    "timed-out": "timed out",
    "out-of-memory": "exceeded the memory limit and was killed",
}

_WITH_PACKAGE: Final = ("converted", "not-needed")
_HINTS: Final[Mapping[str, str]] = {
    "failed": "rewrite that part, or convert with a script of your own (`convert`).",
    "crashed": 'try another route (conversion = "trace" or "export"); the details show the last lines of '
    "its output.",
    "timed-out": "raise `step-timeout-s` in [gate], or make the traced program smaller (an unrolled loop?).",
    "out-of-memory": "raise `step-memory-mb` in [gate], or use a runner with more memory.",
}

_ROUTES: Final[Mapping[str, str]] = {
    "export": "export",
    "decomposed": "export with torch's core decompositions",
    "trace": "trace",
    "none": "your own conversion",
}
_TWINS: Final[Mapping[str, str]] = {
    "converted": "",
    "called-again": "its float32 twin: the same callable with `compute_precision` = FLOAT32",
    "gate": "its float32 twin: the gate's own conversion of the source; it computes the same as the package",
    "widened": (
        "its float32 twin: the package with every operation in float32; its weights stay as the package "
        "stores them, rounded or compressed"
    ),
    "package": "the package computes in float32 and is its own twin",
}

_LOST: Final = "lost-write"
_OF_UNCHANGED_OUTPUTS: Final = "sanitize_input_output_names"
"""The pass that refuses an output that is an input."""
_GROWN_HINT: Final = (
    "compute it from an input, or from smaller parts that broadcast. A value that depends on a flexible "
    "size is not computed during the conversion."
)
_MISSING_HINT: Final = (
    "replace these operations by ones that convert, or register a converter for them "
    "(coremltools.converters.mil.register_torch_op)."
)


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding: converted, or why not, with all missing operations at once."""
    facts = evidence.head.conversion
    if facts is None or (evidence.head.package is None and facts.status in _WITH_PACKAGE):
        return (evidence.unmeasured(NAME, SUBJECT) if evidence.head.problem else _unexplained(facts),)
    if facts.status == "not-needed":
        return (skipped(NAME, SUBJECT, "not needed: the source is a package."),)
    if facts.status == "converted":
        return (_converted(facts, evidence),)
    return (_not_converted(facts, evidence),)


def _unexplained(facts: ConversionFacts | None) -> Finding:
    lost = "conversion" if facts is None else "package"
    return Finding(
        check=NAME,
        status=Status.FAIL,
        subject=SUBJECT,
        message=f"the Record holds no {lost} and no problem that explains it.",
        hint="measure the model again.",
    )


def _time(evidence: Evidence) -> tuple[str, ...]:
    """Where measuring the model spent its time."""
    steps = time_by_step(evidence.head.phases)
    return (f"measuring time: {steps}",) if steps else ()


def _converted(facts: ConversionFacts, evidence: Evidence) -> Finding:
    effort = "taken from the cache" if facts.cached else f"in {number(facts.seconds)} s"
    how = f"made by `{facts.maker}`" if facts.maker else f"converted by way of {_ROUTES[facts.route]}"
    base = evidence.before.conversion
    other_route = base is not None and base.status == "converted" and base.route != facts.route
    message = f"package: {how}, {effort}{_which_ships(evidence)}."
    return Finding(
        check=NAME,
        status=Status.WARN if facts.computed else Status.PASS,
        subject=SUBJECT,
        message=message + _grown(facts, evidence),
        hint=_GROWN_HINT if facts.computed else "",
        details=(
            *((_TWINS[facts.twin],) if facts.maker else ()),
            *facts.notes,
            *((_before(base),) if base and other_route else ()),
            *_time(evidence),
        ),
    )


def _own_words(facts: ConversionFacts) -> tuple[str, ...]:
    """The converter's own words, if the message has our explanation instead."""
    explained = facts.refused is not None and facts.refused.cause
    return tuple(facts.message.splitlines()) if explained and not facts.missing else ()


def _grown(facts: ConversionFacts, evidence: Evidence) -> str:
    """The constant that makes a package larger than its source's parameters (apple/coremltools#1551)."""
    if not facts.computed:
        return ""
    source, largest = evidence.head.source, facts.computed[0]
    place = f" at {largest.place}" if largest.place else ""
    parameters = "" if source is None else f" {counted(source.parameters, 'parameter')} of the"
    return (
        f" It holds more than the{parameters} source: `{largest.name}` {list(largest.shape)}, "
        f"{megabytes(largest.bytes)} in float32, is a constant that was computed while converting{place}."
    )


def _which_ships(evidence: Evidence) -> str:
    """Path of the judged package, which is the one to ship, not a second conversion."""
    package = evidence.head.package
    return "" if package is None else f"; ship this package: `{package.path}`"


def _not_converted(facts: ConversionFacts, evidence: Evidence) -> Finding:
    base = evidence.before.conversion
    return Finding(
        check=NAME,
        status=Status.FAIL,
        subject=SUBJECT,
        message=_failure(facts) + _lost_write(facts, evidence),
        hint=facts.hint or (_MISSING_HINT if facts.missing else _way_out(facts)),
        details=(
            *(_missing_line(operation) for operation in facts.missing),
            *(_stub_lines(evidence) if facts.missing else ()),
            *_own_words(facts),
            *facts.notes,
            *((_before(base),) if base else ()),
            *facts.log_tail,
        ),
    )


def _way_out(facts: ConversionFacts) -> str:
    """A script of the team has no other route, and is the script already."""
    if facts.maker and facts.status == "failed":
        return f"run `{facts.maker}` by itself, and rewrite the part of the model that it names."
    return _HINTS[facts.status]


def _before(base: ConversionFacts) -> str:
    """Whether and how the baseline converted, for the message."""
    if base.status == "converted":
        return f"the baseline was converted by way of {_ROUTES[base.route]}"
    return f"the baseline does not convert either: {_words(base)}"


def _lost_write(facts: ConversionFacts, evidence: Evidence) -> str:
    """Explains an output that is an input: a trace dropped a write into it (apple/coremltools#2188)."""
    if facts.refused is None or not facts.refused.optimisation_pass.endswith(_OF_UNCHANGED_OUTPUTS):
        return ""
    places = (match.places[0] for match in evidence.head.rules or () if match.rule == _LOST and match.places)
    return next((f" The write at {place.file}:{place.line} is lost: {place.text}." for place in places), "")


def _stub_lines(evidence: Evidence) -> Iterator[str]:
    """The skeleton of a converter for each operation without one, from the rules."""
    for match in evidence.head.rules or ():
        if match.rule in REPORTED_BY_CONVERSION:
            sentence, *code = match.fix.splitlines() or [""]
            yield f"{match.rule}: {sentence}"
            yield from (f"    {line}" for line in code)


def _failure(facts: ConversionFacts) -> str:
    if facts.missing:
        names = [f"`{missing.operation}` ({missing.count}x)" for missing in facts.missing]
        return (
            f"package: not converted, the converter lacks {counted(len(names), 'torch operation')}: "
            f"{first_and_more(names, 5)}{_first_at(facts.refused)}."
        )
    if facts.refused is not None and (facts.refused.cause or facts.refused.place):
        return f"package: not converted{_where(facts.refused)}: {_why(facts.refused, facts.message)}"
    words = f"package: not converted, {_words(facts)} after {number(facts.seconds)} s"
    return f"{words}: {facts.message}" if facts.message else f"{words}."


def _first_at(at: RefusedOperation | None) -> str:
    return f", first at {at.place}" if at is not None and at.place else ""


def _where(at: RefusedOperation) -> str:
    what = f"the pass `{at.optimisation_pass}`" if at.optimisation_pass else f"`{at.operation}`"
    named = bool(at.optimisation_pass or at.operation)
    module = f" of module `{at.module}`" if at.module else ""
    place = f" at {at.place}" if at.place else ""
    return (f", {what}{module}" if named else "") + place


def _why(at: RefusedOperation, message: str) -> str:
    """The cause in our words, or in the converter's own if it is not known."""
    return f"{at.cause}." if at.cause else message.splitlines()[-1]


def _words(facts: ConversionFacts) -> str:
    return f"`{facts.maker}` failed" if facts.maker and facts.status == "failed" else _WORDS[facts.status]


def _missing_line(missing: MissingOperation) -> str:
    where = f", called in {listed(missing.modules)}" if missing.modules else ""
    return f"`{missing.operation}`: {counted(missing.count, 'call')}{where}"


CHECK: Final = Check(
    NAME,
    "Does the source convert to Core ML?",
    run,
    limit="it must convert",
    why="Without a package there is nothing to ship.",
    fix=(
        "The finding names the operation, the module and the line, and a fix that was tried, if there is "
        "one. `coreml-gate support MODEL` tries every deployment target."
    ),
    page="docs/own-conversion.md",
    absolute=True,
)
