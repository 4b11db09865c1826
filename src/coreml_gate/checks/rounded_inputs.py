"""Parity of float16 inputs: does the source give the same outputs if they are rounded to halves?"""

from collections.abc import Iterator
from dataclasses import replace

from coreml_gate.checks.evidence import Evidence
from coreml_gate.criteria import Violation, by_output, engine_violations, gravest_first
from coreml_gate.floats import GREATEST_HALF, HALF_INTEGERS
from coreml_gate.record import InputRounding, RoundedInput
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import number


def rounded_inputs(evidence: Evidence, check: str) -> tuple[Finding, ...]:
    """One finding on the input that loses most, if rounding inputs alone changes the source's outputs."""
    rounding = evidence.head.input_rounding
    raised = () if rounding is None else _violations(rounding, evidence)
    if rounding is None or not raised:
        return ()
    worst = max(rounding.inputs, key=_gravity)
    return (
        Finding(
            check=check,
            status=raised[0].status,
            subject=worst.input,
            message=f"input `{worst.input}` is float16, which {_change(worst)}: {raised[0].message}.",
            hint=_hint(worst),
            details=tuple(
                f"also: input `{item.input}`, which {_change(item)}"
                for item in rounding.inputs
                if item is not worst
            ),
        ),
    )


def _gravity(item: RoundedInput) -> tuple[bool, bool, float]:
    """Sort key: infinities first, then whole numbers, then the largest change."""
    place = item.place
    if isinstance(place.candidate, str) or isinstance(place.reference, str):
        return True, item.whole, 0.0
    return False, item.whole, abs(place.candidate - place.reference)


def _violations(rounding: InputRounding, evidence: Evidence) -> tuple[Violation, ...]:
    """By the rule of precision; a changed whole number is another id, not a rounding error."""
    if rounding.refused:
        return (Violation(f"the source does not accept the rounded value ({rounding.refused.rstrip('.')})"),)
    whole = any(item.whole for item in rounding.inputs)
    return gravest_first(_of_outputs(rounding, evidence, Status.FAIL if whole else Status.UNSURE))


def _of_outputs(rounding: InputRounding, evidence: Evidence, integers: Status) -> Iterator[Violation]:
    for output, group in by_output(rounding.comparisons).items():
        for violation in engine_violations(group, evidence.limits.precision):
            status = integers if violation.status is Status.UNSURE else violation.status
            yield replace(
                violation, message=f"output `{output}` of the source: {violation.message}", status=status
            )


def _change(item: RoundedInput) -> str:
    place, where = item.place, f"at {item.place.index} of sample {item.sample}"
    if isinstance(place.candidate, str):
        beyond = f"has no number beyond {GREATEST_HALF:.0f}"
        return f"{beyond}: {_value(place.reference)} {where} becomes infinite"
    return f"rounds {_value(place.reference)} {where} to {_value(place.candidate)}"


def _value(value: float | str) -> str:
    if isinstance(value, str) or value != int(value):
        return number(value, 6)
    return f"{value:.0f}"


def _hint(item: RoundedInput) -> str:
    if item.whole:
        return (
            f'FP16 holds every whole number only up to {HALF_INTEGERS} only. Write `dtype = "float32"` for '
            f'`{item.input}` in `[[model.input]]`, or yield integers and write `dtype = "int32"`.'
        )
    return f'write `dtype = "float32"` for `{item.input}` in `[[model.input]]`.'
