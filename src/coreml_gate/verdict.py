"""A Verdict: the findings of all checks on all models, and what they mean for the merge."""

from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import (
    ModelWrapValidatorHandler,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from coreml_gate.frozen import FrozenModel, changed, computed

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
    """What findings mean: status and exit code are computed from them, so they cannot contradict each other.

    A document states both for its readers. What is read with another value than its findings give is refused.
    """

    problem_exit_code: NonNegativeInt = PASS_EXIT_CODE
    """The exit code of what kept the gate from its work; 0 where nothing did."""

    @model_validator(mode="wrap")
    @classmethod
    def _states_what_it_computes(cls, data: Any, read: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401
        if not isinstance(data, dict):
            return read(data)
        stated = {name: data[name] for name in cls.model_computed_fields if name in data}
        value = read({name: each for name, each in data.items() if name not in stated})
        for name, follows in value.model_dump(include=set(stated)).items():
            if follows != stated[name]:
                raise ValueError(f"`{name}` is `{stated[name]}`, but its findings make it `{follows}`")
        return value


class ModelVerdict(Judged):
    """All findings on one model."""

    name: str
    findings: tuple[Finding, ...]
    fail_on_unsure: bool = False
    """Whether an unsure finding blocks as a failure does."""
    notes: tuple[str, ...] = ()
    """What a reader should know before trusting a figure: untrained, random samples, a fallback."""
    untrained: bool = False
    """Whether the weights are likely untrained, so that numerical errors mislead."""
    ranking: Ranking | None = None
    """``None``: the model has no variants. Variants never decide about :attr:`verdict`."""

    @computed
    def verdict(self) -> Status:
        """The gravest status of the findings; what could not be measured is a failure whatever they say."""
        if self.problem_exit_code:
            return Status.FAIL
        return gravest(Status.FAIL if each.status in self.blocking else each.status for each in self.findings)

    @computed
    def exit_code(self) -> int:
        """The problem's own exit code, which no finding takes back; else 1 for a failure, else 0."""
        return self.problem_exit_code or _exit_code_of(self.verdict)

    @property
    def blocking(self) -> tuple[Status, ...]:
        """The statuses that block this model."""
        return (Status.FAIL, Status.UNSURE) if self.fail_on_unsure else (Status.FAIL,)

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

    commit: str | None
    dirty: bool
    engine: str
    baseline: BaselineFacts
    models: tuple[ModelVerdict, ...]
    skipped: tuple[SkippedVerdict, ...] = ()
    findings: tuple[Finding, ...] = ()
    """On the run as a whole: limits that the change itself changes, overrides that do not count."""

    @computed
    def verdict(self) -> Status:
        """The gravest status of models and findings; a run that ended early is a failure."""
        if self.problem_exit_code:
            return Status.FAIL
        return gravest([*(each.verdict for each in self.models), *(each.status for each in self.findings)])

    @computed
    def exit_code(self) -> int:
        """The exit code of the run's own problem, else of the first model's, else 1 for a failure, else 0.

        A problem wins over a failure: 1 means that every model was measured and one must not merge, which is
        not known where a model could not be measured.
        """
        problems = (self.problem_exit_code, *(model.problem_exit_code for model in self.models))
        return next(filter(None, problems), _exit_code_of(self.verdict))

    @computed
    def fail_on_unsure(self) -> bool:
        """Whether an unsure finding blocked as a failure does."""
        return any(model.fail_on_unsure for model in self.models)


def gravest(statuses: Iterable[Status]) -> Status:
    """The status that stands for all of them; without any it is ``skipped``."""
    return max(statuses, key=SEVERITY.index, default=Status.SKIPPED)


def _exit_code_of(status: Status) -> int:
    return FAIL_EXIT_CODE if status is Status.FAIL else PASS_EXIT_CODE


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
        problem_exit_code=exit_code,
        commit=None,
        dirty=False,
        engine="none",
        baseline=BaselineFacts(origin="none: the run did not get that far"),
        models=(),
        findings=(problem,),
    )


def with_findings(verdict: Verdict, findings: tuple[Finding, ...]) -> Verdict:
    """The Verdict with more findings on the run as a whole."""
    return changed(verdict, findings=(*verdict.findings, *findings))


def _encodable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
