"""What should a reader know before trusting the figures of a model?"""

from collections.abc import Iterator
from typing import Final

from coreml_gate.checks.evidence import Evidence
from coreml_gate.record import SourceFacts
from coreml_gate.tested_versions import TESTED, untested

LEAST_SENSITIVITY: Final = 0.1
"""Below it an output hardly depends on the input: untrained nets gave .03 to .06, trained ones .6 to .9."""

LEAST_SAMPLES: Final = 4
"""One FP16 model gave 40.6 dB on one input and 47 to 52 dB on four others: fewer hide the spread."""


def notes(evidence: Evidence) -> tuple[str, ...]:
    """One sentence or two per reason for care, the gravest first."""
    environment = evidence.environment
    releases = {name: getattr(environment, name) for name in TESTED}
    source, conversion = evidence.head.source, evidence.head.conversion
    return (
        *untested(releases),
        *(() if source is None else _source_notes(source)),
        *_few_samples(evidence),
        *(() if conversion is None else conversion.notes),
        *_base_problem(evidence),
    )


def is_untrained(evidence: Evidence) -> bool:
    """Do the weights look as their initialisation left them?"""
    source = evidence.head.source
    return source is not None and bool(source.untrained_signs)


def _source_notes(source: SourceFacts) -> Iterator[str]:
    if source.untrained_signs:
        signs = "; ".join(source.untrained_signs)
        yield f"likely untrained ({signs}): numerical errors of untrained models mislead, in both directions."
    for output in source.sensitivity:
        if output.value < LEAST_SENSITIVITY:
            yield (
                f"output `{output.output}`: it hardly depends on the input (sensitivity {output.value:.2g}, "
                f"expected at least {LEAST_SENSITIVITY}): a good figure means nothing."
            )
    if source.random_samples:
        yield "random samples: the configuration names none, and real inputs may reach other values."


def _few_samples(evidence: Evidence) -> Iterator[str]:
    compared = {each.sample for each in (*evidence.head.parity, *evidence.head.precision)}
    if 0 < len(compared) < LEAST_SAMPLES:
        yield (
            f"few samples: {len(compared)} compared, at least {LEAST_SAMPLES} expected: "
            "one input is not representative."
        )


def _base_problem(evidence: Evidence) -> Iterator[str]:
    problem = None if evidence.base is None else evidence.base.problem
    if problem is not None:
        yield f"the baseline of this model is incomplete ({problem.kind}): {problem.message}"
