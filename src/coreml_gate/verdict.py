"""A Verdict: the findings of all checks on all models, and what they mean for the merge."""

from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from typing import Literal, Self

from pydantic import PositiveInt, model_validator

from coreml_gate.frozen import FrozenModel, changed

PASS_EXIT_CODE = 0
FAIL_EXIT_CODE = 1


class Status(StrEnum):
    """The status of a finding; ``unsure`` and ``skipped`` are never a pass and never a failure."""

    PASS = "pass"  # noqa: S105 - a status, not a password
    WARN = "warn"
    FAIL = "fail"
    UNSURE = "unsure"
    """Measured, but undecided: too little data, another toolchain, no baseline."""
    SKIPPED = "skipped"
    """Not run, with the reason."""


SEVERITY = (Status.SKIPPED, Status.PASS, Status.UNSURE, Status.WARN, Status.FAIL)
"""From harmless to grave: the order in which a reader wants to see findings is the reverse."""


class Acceptance(FrozenModel):
    """Who accepted a failure, and until when."""

    by: str
    until: str
    """The last day, ISO 8601."""
    reason: str


class Finding(FrozenModel):
    """One result of one check."""

    check: str
    status: Status
    subject: str
    """What it is about: an output, a metric, the package."""
    message: str
    """One or two sentences with the thing, the number, the place and the allowed number."""
    value: float | None = None
    base: float | None = None
    """The same figure of the baseline."""
    limit: float | None = None
    unit: str = ""
    hint: str = ""
    """The way out."""
    patch: tuple[str, ...] = ()
    """Lines of the configuration that repair it, as TOML to be copied."""
    details: tuple[str, ...] = ()
    """Lines for the collapsed part: places, log lines, operations."""
    file: str = ""
    """The source file to look at, relative to the repository; empty when no file is to blame."""
    line: PositiveInt | None = None
    accepted: Acceptance | None = None
    """Why a failure is a warning only: a person accepted it."""


class Candidate(FrozenModel):
    """One package of a model, the one that ships or a variant, by what decides between them."""

    name: str
    ships: bool = False
    eligible: Literal["yes", "no", "unsure"]
    reason: str = ""
    """Why it is not eligible, or why that is unknown."""
    size_bytes: int | None = None
    memory_bytes: int | None = None
    """Weights and activations at the peak."""
    latency_ms: float | None = None
    """Median prediction, where Core ML measured it."""
    macs: int | None = None
    """Multiply-accumulates: with the bytes, the estimated cost that stands in for a latency."""
    moved_bytes: int | None = None
    metric: float | None = None
    psnr: float | None = None
    """Least PSNR against its float32 twin in dB; ``None`` when exact, or not measured."""
    bits: float | None = None
    """Bits per weight, where weights are compressed."""
    on_front: bool = False
    """Whether no other eligible package is at least as good in everything and better in something."""
    findings: tuple[Finding, ...] = ()


class Ranking(FrozenModel):
    """The packages of a model side by side, and which to take for which goal."""

    candidates: tuple[Candidate, ...]
    """The one that ships first, then the variants in the configuration's order."""
    metric: str = ""
    """Which of the metrics decides; empty when none does, and PSNR decides instead."""
    higher_is_better: bool = True
    measured_on: str = ""
    """Where Core ML was timed; empty: the estimated cost decides about speed."""
    choice: str
    """One sentence: the best choice for each goal."""
    notes: tuple[str, ...] = ()


class Judged(FrozenModel):
    """A status and the exit code that goes with it: a document that contradicts itself is refused."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        status, code = getattr(self, "verdict", None), getattr(self, "exit_code", None)
        if (status is Status.FAIL) != (code != PASS_EXIT_CODE):
            raise ValueError(f"verdict `{status}` and exit code {code} contradict each other")
        return self


class ModelVerdict(Judged):
    """All findings on one model."""

    name: str
    verdict: Status
    findings: tuple[Finding, ...]
    exit_code: int = PASS_EXIT_CODE
    notes: tuple[str, ...] = ()
    """What a reader should know before trusting a figure: untrained, random samples, a fallback."""
    untrained: bool = False
    """Whether the weights are likely untrained, so that numerical errors mislead."""
    ranking: Ranking | None = None
    """``None``: the model has no variants. Variants never decide about :attr:`verdict`."""

    def of(self, check: str) -> tuple[Finding, ...]:
        """The findings of one check."""
        return self._by_check.get(check, ())

    @cached_property
    def _by_check(self) -> dict[str, tuple[Finding, ...]]:
        found: dict[str, tuple[Finding, ...]] = {}
        for finding in self.findings:
            found[finding.check] = (*found.get(finding.check, ()), finding)
        return found


class SkippedVerdict(FrozenModel):
    """A model that was not measured."""

    name: str
    reason: str


class BaselineFacts(FrozenModel):
    """Where the baseline came from, or why there is none."""

    origin: str
    """A sentence part: ``rebuilt in this run``, ``record build/base``, ``none: no base was given``."""
    commit: str | None = None
    present: bool = False


class Verdict(Judged):
    """The result of one run."""

    verdict: Status
    exit_code: int
    commit: str | None
    dirty: bool
    engine: str
    baseline: BaselineFacts
    models: tuple[ModelVerdict, ...]
    skipped: tuple[SkippedVerdict, ...] = ()
    findings: tuple[Finding, ...] = ()
    """On the run as a whole: limits that the change itself changes, overrides that do not count."""
    fail_on_unsure: bool = False
    """Whether an unsure finding blocked as a failure does."""


def gravest(statuses: list[Status]) -> Status:
    """The status that stands for all of them; without any it is ``skipped``."""
    return max(statuses, key=SEVERITY.index, default=Status.SKIPPED)


def not_run(message: str, hint: str, exit_code: int, details: tuple[str, ...] = ()) -> Verdict:
    """The Verdict of a run that ended before any model was measured: every report can then say why.

    The texts are an error's, with whatever it quotes; halves of a character, which no document can hold, are
    written as escapes.
    """
    problem = Finding(
        check="run",
        status=Status.FAIL,
        subject="run",
        message=_encodable(message),
        hint=_encodable(hint),
        details=tuple(map(_encodable, details)),
    )
    return Verdict(
        verdict=Status.FAIL,
        exit_code=exit_code,
        commit=None,
        dirty=False,
        engine="none",
        baseline=BaselineFacts(origin="none: the run did not get that far"),
        models=(),
        findings=(problem,),
    )


def blocking(*, strict: bool) -> tuple[Status, ...]:
    """The statuses that block; a strict gate takes an unsure finding for a failure."""
    return (Status.FAIL, Status.UNSURE) if strict else (Status.FAIL,)


def status_of(findings: Iterable[Finding], *, strict: bool) -> Status:
    """The status of a model with these findings."""
    blocks = blocking(strict=strict)
    return gravest([Status.FAIL if each.status in blocks else each.status for each in findings])


def exit_code_of(status: Status, problem: int = PASS_EXIT_CODE) -> int:
    """A problem's own exit code, which no status takes back; else that of a failure or of a pass."""
    if problem > FAIL_EXIT_CODE:
        return problem
    return FAIL_EXIT_CODE if status is Status.FAIL else PASS_EXIT_CODE


def with_findings(verdict: Verdict, findings: tuple[Finding, ...]) -> Verdict:
    """The Verdict with more findings on the run as a whole, its status and exit code taken from all parts."""
    everything = (*verdict.findings, *findings)
    status = gravest([*(model.verdict for model in verdict.models), *(each.status for each in everything)])
    known = overall_exit_code(verdict.models) if verdict.models else verdict.exit_code
    return changed(verdict, findings=everything, verdict=status, exit_code=exit_code_of(status, known))


def _encodable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def overall_exit_code(models: tuple[ModelVerdict, ...]) -> int:
    """The first problem's exit code, else 1 for a failure, else 0.

    A problem wins over a failure: 1 means that every model was measured and one must not merge, which is not
    known where a model could not be measured.
    """
    codes = [model.exit_code for model in models if model.exit_code != PASS_EXIT_CODE]
    return next(
        (code for code in codes if code != FAIL_EXIT_CODE), FAIL_EXIT_CODE if codes else PASS_EXIT_CODE
    )
