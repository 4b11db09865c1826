"""Judges a number of bytes against a fixed limit and against the baseline."""

from dataclasses import dataclass

from coreml_gate.checks.evidence import Evidence
from coreml_gate.config.limits import MemoryLimits, SizeLimits
from coreml_gate.criteria import Violation, also, excess_growth, gravest_first
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import MB, apart, growth, megabytes, number, passing_maximum


@dataclass(frozen=True)
class Budget:
    """A number of bytes at head and base, with its limits."""

    subject: str
    head: int
    base: int | None
    limits: SizeLimits | MemoryLimits
    parts: str
    """What the bytes consist of, in words."""

    @property
    def relative_limit(self) -> float | None:
        """The bytes that the baseline allows, or ``None`` if the ratio is not judged."""
        if not self.base or self.limits.max_ratio is None or self.head < self.limits.ratio_from_mb * MB:
            return None
        return self.base * self.limits.max_ratio


def budget_limit(limits: SizeLimits | MemoryLimits) -> str:
    """The default limits in words: ``200 MB, and 10 % against base``."""
    parts = (
        *(() if limits.max_mb is None else (f"{limits.max_mb:,.0f} MB",)),
        *(() if limits.max_ratio is None else (f"{growth(limits.max_ratio)} against base",)),
    )
    return ", and ".join(parts)


def judge_budget(
    check: str, budget: Budget, evidence: Evidence, hint: str, details: tuple[str, ...]
) -> Finding:
    """One finding in MB, with the tighter of the two limits."""
    raised = gravest_first((_absolute(budget), _relative(budget, evidence.regression)))
    comparing = () if budget.base is None else evidence.toolchain_changes
    return Finding(
        check=check,
        status=raised[0].status if raised else Status.PASS,
        subject=budget.subject,
        message=_message(budget, raised),
        value=budget.head / MB,
        base=None if budget.base is None else budget.base / MB,
        limit=_tightest(budget),
        unit="MB",
        hint=hint if raised else "",
        details=(*also(raised), *comparing, *details),
    )


def _absolute(budget: Budget) -> Violation | None:
    if budget.limits.max_mb is None or budget.head <= budget.limits.max_mb * MB:
        return None
    shown, allowed = apart(budget.head, budget.limits.max_mb * MB, megabytes, _limit_in_mb)
    exactly = "" if shown == megabytes(budget.head) else f"more exactly {shown}, "
    return Violation(
        f"{exactly}allowed {allowed}",
        passes_with=f"max-mb = {passing_maximum(budget.head / MB, 4)}",
        excess=budget.head / (budget.limits.max_mb * MB),
    )


def _relative(budget: Budget, status: Status) -> Violation | None:
    limit = budget.relative_limit
    if limit is None or not budget.base or budget.limits.max_ratio is None or budget.head <= limit:
        return None
    ratio = budget.head / budget.base
    shown, allowed = apart(ratio, budget.limits.max_ratio, digits=4)
    return Violation(
        f"{shown} times the baseline's {megabytes(budget.base)}, allowed {allowed} times",
        passes_with=f"max-ratio = {passing_maximum(ratio, 3)}",
        status=status,
        excess=excess_growth(ratio, budget.limits.max_ratio),
    )


def _limit_in_mb(limit: float, digits: int) -> str:
    return f"{number(limit / MB, max(digits, 6))} MB"


def _message(budget: Budget, raised: tuple[Violation, ...]) -> str:
    measured = f"{budget.subject}: {megabytes(budget.head)} ({budget.parts})"
    if raised:
        cause = ", which the other toolchain may explain" if raised[0].status is Status.UNSURE else ""
        return f"{measured}, {raised[0].message}{cause}.{raised[0].remedy}"
    base = "" if budget.base is None else f", {megabytes(budget.base)} in the baseline"
    limit = _tightest(budget)
    return measured + base + ("." if limit is None else f", allowed {number(limit, 6)} MB.")


def _tightest(budget: Budget) -> float | None:
    relative = None if budget.relative_limit is None else budget.relative_limit / MB
    return min((limit for limit in (budget.limits.max_mb, relative) if limit is not None), default=None)
