"""The verdict in words, which a reviewer reads first; the same in every format for people."""

from collections import Counter
from typing import Final

from coreml_gate.checks import CHECKS
from coreml_gate.foreign.escape import NAME_LIMIT, plain, shortened
from coreml_gate.interruption import EXIT_CODES
from coreml_gate.verdict import FAIL_EXIT_CODE, SEVERITY, ModelVerdict, Status, Verdict
from coreml_gate.wording import counted, names_and_more, short

MARKS: Final = {
    Status.PASS: "✅",
    Status.WARN: "⚠️",
    Status.FAIL: "❌",
    Status.UNSURE: "❔",
    Status.SKIPPED: "⏭️",
}
ENGINES: Final = {
    "mil": "Numbers come from coreml-gate's own MIL runtime; Core ML itself, which needs macOS, did not run.",
    "mil+coreml": (
        "Engine PSNR, latency and placement come from Core ML, all other numbers from the MIL runtime."
    ),
    "mil+stand-in": "The MIL runtime also stood in for Core ML: no number is Core ML's.",
}
_NO_ANSWER: Final = (Status.SKIPPED, Status.UNSURE)
_BOTH: Final = 2


def headline(verdict: Verdict) -> str:
    """Which models may merge: ``1 of 3 models must not merge``; a single model is named, in backticks."""
    models = verdict.models
    if verdict.exit_code in EXIT_CODES:
        return "the run was interrupted: not everything was measured"
    if verdict.exit_code and not models:
        return "the gate could not do its work"
    blocked = sum(must_not_merge(model) for model in models)
    broken = sum(not_measured(model) for model in models)
    if blocked and broken:
        return f"{_some(models, blocked)} must not merge, and {broken:,} could not be measured"
    if blocked:
        return f"{_some(models, blocked)} must not merge"
    if broken:
        return f"{_some(models, broken)} could not be measured"
    return _harmless(models) if models else _without_models(verdict)


def _some(models: tuple[ModelVerdict, ...], number: int) -> str:
    return _only(models) if len(models) == 1 else f"{number:,} of {counted(len(models), 'model')}"


def _only(models: tuple[ModelVerdict, ...]) -> str:
    return f"`{shortened(plain(models[0].name), NAME_LIMIT)}`"


def counts(verdict: Verdict) -> str:
    """Models by status, as far as there are any: ``1 fail, 2 warn, 57 pass, 3 not measured``."""
    by_status = Counter(model.verdict for model in verdict.models)
    parts = [f"{by_status[status]:,} {status}" for status in reversed(SEVERITY) if by_status[status]]
    parts += [f"{len(verdict.skipped):,} not measured"] if verdict.skipped else []
    return ", ".join(parts)


def must_not_merge(model: ModelVerdict) -> bool:
    """Whether this model blocks the merge."""
    return model.exit_code == FAIL_EXIT_CODE


def not_measured(model: ModelVerdict) -> bool:
    """Whether the model could not be measured, because of its source, samples or package."""
    return model.exit_code > FAIL_EXIT_CODE


def comparison(verdict: Verdict) -> tuple[str, ...]:
    """What was compared with what, and which engine computed the numbers, one sentence each."""
    if verdict.exit_code and not verdict.models:
        return ("Nothing was measured and nothing was compared.",)
    head = f"`{short(verdict.commit)}`" if verdict.commit else "the work tree"
    if verdict.dirty:
        head += " with uncommitted changes"
    engine = (engine_sentence(verdict.engine),) if verdict.models else ()
    return _against(head, verdict), *engine, *_without_a_source(verdict), *_accepted(verdict)


def _without_a_source(verdict: Verdict) -> tuple[str, ...]:
    """Whether the source is a package: only then is parity skipped."""
    packages = [
        model.name
        for model in verdict.models
        if any(finding.status is Status.SKIPPED for finding in model.of("parity"))
    ]
    if not packages:
        return ()
    names = names_and_more([f"`{shortened(plain(name), NAME_LIMIT)}`" for name in packages])
    return (f"Without a PyTorch source to compare with: {names}.",)


def _accepted(verdict: Verdict) -> tuple[str, ...]:
    """The number of failures that do not block because a person accepted them."""
    taken = sum(finding.accepted is not None for _, finding in verdict.of_models)
    return (f"{counted(taken, 'failure')} accepted: see the warnings.",) if taken else ()


def engine_sentence(engine: str) -> str:
    """The sentence on the engine that computed the numbers; an unknown engine is named."""
    return ENGINES.get(engine, f"Numbers come from engine `{engine}`.")


def _against(head: str, verdict: Verdict) -> str:
    baseline = verdict.baseline
    origin = baseline.origin.rstrip(".")
    if not baseline.present:
        return f"Measured {head}; nothing to compare with: {origin.removeprefix('none: ')}."
    if baseline.commit is None or short(baseline.commit) in origin:
        return f"Compared {head} with the base: {origin}."
    return f"Compared {head} with base `{short(baseline.commit)}` ({origin})."


def _without_models(verdict: Verdict) -> str:
    return f"no model {'was' if verdict.verdict is Status.UNSURE else 'had to be'} measured"


def _harmless(models: tuple[ModelVerdict, ...]) -> str:
    asides = (
        ("with warnings", sum(model.verdict is Status.WARN for model in models)),
        ("not fully checked", sum(model.verdict is Status.UNSURE for model in models)),
        ("without any output compared", sum(map(without_comparison, models))),
    )
    if len(models) == 1:
        words = "".join(f", {aside}" for aside, number in asides if number)
        return f"{_only(models)} may merge{words}"
    words = "".join(f", {number:,} {aside}" for aside, number in asides if number)
    every = "both models" if len(models) == _BOTH else f"all {len(models):,} models"
    return f"{every} may merge{words}"


def without_comparison(model: ModelVerdict) -> bool:
    """Whether no numerical check of this model has a result, for whatever reason."""
    answered = {finding.check for finding in model.findings if finding.status not in _NO_ANSWER}
    return not any(check.numerical and name in answered for name, check in CHECKS.items())
