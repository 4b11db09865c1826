"""A Verdict: the findings of all checks on all models, and whether the change may merge."""

from collections.abc import Iterable, Iterator
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
"""From harmless to grave; reports show findings in the reverse order."""


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
    """An output, a metric, the package, ..."""
    message: str
    """One or two sentences with the thing, the number, the place and the allowed number."""
    value: float | None = None
    base: float | None = None
    """The baseline's value."""
    limit: float | None = None
    unit: str = ""
    hint: str = ""
    """How to fix it."""
    patch: tuple[str, ...] = ()
    """Lines of the configuration that fix it, as TOML to copy."""
    details: tuple[str, ...] = ()
    """Lines for the collapsed part: places, log lines, operations."""
    file: str = ""
    """The source file to look at, relative to the repository, or empty."""
    line: PositiveInt | None = None
    accepted: Acceptance | None = None
    """Set if a person accepted the failure, which makes it a warning."""


class Candidate(FrozenModel):
    """One package of a model, the one that ships or a variant, with the figures that decide between them."""

    name: str
    ships: bool = False
    eligible: Literal["yes", "no", "unsure"]
    reason: str = ""
    """Why it is not eligible, or why this is unknown."""
    size_bytes: int | None = None
    memory_bytes: int | None = None
    """Peak of weights and activations."""
    latency_ms: float | None = None
    """Median time of a prediction, if Core ML measured it."""
    macs: int | None = None
    """Multiply-accumulates; with ``moved_bytes``, the estimated cost that replaces an unknown latency."""
    moved_bytes: int | None = None
    metric: float | None = None
    psnr: float | None = None
    """Lowest PSNR against its float32 twin in dB; ``None`` if exact or not measured."""
    bits: float | None = None
    """Bits per weight, if weights are compressed."""
    on_front: bool = False
    """Whether it is on the Pareto front of the eligible packages."""
    findings: tuple[Finding, ...] = ()


class Ranking(FrozenModel):
    """The packages of a model side by side, and the best one for each goal."""

    candidates: tuple[Candidate, ...]
    """First the package that ships, then the variants in the configuration's order."""
    metric: str = ""
    """The metric that decides; if empty, PSNR does."""
    higher_is_better: bool = True
    measured_on: str = ""
    """Where Core ML was timed; if empty, the estimated cost decides about speed."""
    choice: str
    """One sentence with the best choice for each goal."""
    notes: tuple[str, ...] = ()


class Judged(FrozenModel):
    """Findings with their status and exit code, which are computed and so cannot contradict the findings.

    Documents state both for their readers; one that states another value than its findings give is refused.
    """

    problem_exit_code: NonNegativeInt = PASS_EXIT_CODE
    """The exit code of the problem that stopped the measurement; 0 for none."""

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
    """Whether an unsure finding blocks like a failure."""
    notes: tuple[str, ...] = ()
    """Reasons to doubt the figures: untrained weights, random samples, a fallback."""
    untrained: bool = False
    """Whether the weights are probably untrained, so that numerical errors are misleading."""
    ranking: Ranking | None = None
    """``None`` for a model without variants. Variants never affect :attr:`verdict`."""

    @computed
    def verdict(self) -> Status:
        """The gravest status of the findings; a model that could not be measured fails in any case."""
        if self.problem_exit_code:
            return Status.FAIL
        return gravest(Status.FAIL if each.status in self.blocking else each.status for each in self.findings)

    @computed
    def exit_code(self) -> int:
        """The exit code of the model's problem, if any; else 1 for a failure, else 0."""
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
    """The origin of the baseline, or why there is none."""

    origin: str
    """A phrase: ``rebuilt in this run``, ``record build/base``, ``none: no base was given``."""
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
    """Findings on the run as a whole: changed limits, overrides that do not count."""

    @property
    def of_models(self) -> Iterator[tuple[str, Finding]]:
        """Every finding on a model, with the model's name."""
        return ((model.name, finding) for model in self.models for finding in model.findings)

    @computed
    def verdict(self) -> Status:
        """The gravest status of models and findings; a run that ended early fails."""
        if self.problem_exit_code:
            return Status.FAIL
        return gravest([*(each.verdict for each in self.models), *(each.status for each in self.findings)])

    @computed
    def exit_code(self) -> int:
        """The exit code of the run's problem, else of the first model's, else 1 for a failure, else 0.

        A problem takes precedence over a failure, because 1 means that every model was measured and at least
        one must not merge.
        """
        problems = (self.problem_exit_code, *(model.problem_exit_code for model in self.models))
        return next(filter(None, problems), _exit_code_of(self.verdict))

    @computed
    def fail_on_unsure(self) -> bool:
        """Whether unsure findings block like failures."""
        return any(model.fail_on_unsure for model in self.models)


def gravest(statuses: Iterable[Status]) -> Status:
    """The gravest of the statuses; ``skipped`` if there are none."""
    return max(statuses, key=SEVERITY.index, default=Status.SKIPPED)


def _exit_code_of(status: Status) -> int:
    return FAIL_EXIT_CODE if status is Status.FAIL else PASS_EXIT_CODE


def not_run(message: str, hint: str, exit_code: int, details: tuple[str, ...] = ()) -> Verdict:
    """The Verdict of a run that ended before any model was measured, so that every report can say why.

    The texts come from an error. Lone surrogates, which no document can hold, are escaped.
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
    """The Verdict with additional findings on the run as a whole."""
    return changed(verdict, findings=(*verdict.findings, *findings))


def _encodable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
