"""Finds the smallest compression that keeps the metric, by pure functions of the measurements.

Accuracy is not monotone in bits, so no setting is assumed to pass or fail because another one does. All
settings are measured, and the smallest package that passes wins.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from coreml_gate.config import Compression, ModelConfig
from coreml_gate.config.limits import PrecisionLimits
from coreml_gate.criteria import by_output, figure_violations
from coreml_gate.frozen import FrozenModel
from coreml_gate.gate.packages_compared import candidates, deciding_metric
from coreml_gate.record import Environment, LayerCompression, ModelRecord
from coreml_gate.variants.settings import as_toml
from coreml_gate.verdict import Candidate, Finding, Status
from coreml_gate.wording import aligned, decibels, megabytes, number

Judge = Literal["evaluate", "precision"]
_NOTHING: Final = "-"
_STOPS: Final = ("source", "conversion", "parity")
"""Checks without which nothing is known about a package."""


class Tried(FrozenModel):
    """One measured setting."""

    setting: str
    passes: bool
    reason: str = ""
    """Why it does not pass."""
    size_bytes: int | None = None
    bits: float | None = None
    """Bits per weight, with scales, tables and masks."""
    worst_layer: str = ""
    worst_sqnr: float | None = None
    """SQNR of the layer that lost most, in dB."""
    left_out: int = 0
    """Layers above the threshold that compression left out."""
    psnr: float | None = None
    metric: float | None = None
    line: str = ""
    """The line for the configuration."""


class Search(FrozenModel):
    """The results of all settings, the largest package first."""

    model: str
    judged_by: Judge
    metric: str = ""
    uncompressed: Tried
    tried: tuple[Tried, ...]
    best: str = ""
    """The smallest setting that passes; empty if none does or none makes the package smaller."""
    caution: str = ""
    """An objection that the gate would still have: a precision limit that the metric does not need."""
    allow: str = ""
    """The limit that would allow it despite :attr:`caution`, or empty."""
    not_monotone: str = ""
    """A note if a smaller package passes although a larger one fails."""


def search(config: ModelConfig, measured: ModelRecord, environment: Environment) -> Search:
    """Judge every setting, by the metric's limit if there is one, else by precision."""
    metric = deciding_metric(config, measured)
    judged_by: Judge = "evaluate" if metric else "precision"
    plain, *others = candidates(config, measured, environment)
    records = {record.name: record for record in measured.variants}
    options = {variant.name: variant.compress for variant in config.variant}
    tried = [_tried(each, records[each.name], judged_by, options.get(each.name)) for each in others]
    tried.sort(key=lambda each: (each.size_bytes is None, -(each.size_bytes or 0)))
    before = plain.size_bytes or 0
    smaller = [each for each in tried if each.passes and (each.size_bytes or before) < before]
    best = smaller[-1] if smaller else None
    chosen = next((each for each in others if best is not None and each.name == best.setting), None)
    return Search(
        model=config.name,
        judged_by=judged_by,
        metric=metric,
        uncompressed=_tried(plain, measured, judged_by, None),
        tried=tuple(tried),
        best="" if best is None else best.setting,
        caution="" if chosen is None else _caution(chosen.findings),
        allow="" if chosen is None else _line_that_allows(records[chosen.name], config.limits.precision),
        not_monotone=_not_monotone(tried),
    )


def _tried(candidate: Candidate, record: ModelRecord, judged_by: Judge, options: Compression | None) -> Tried:
    objection = next(iter(_objections(candidate.findings, judged_by)), None)
    layers = () if record.compression is None else record.compression.layers
    worst_sqnr, worst_layer = min(
        ((layer.sqnr, layer.operation) for layer in layers if layer.sqnr is not None), default=(None, "")
    )
    return Tried(
        setting=candidate.name,
        passes=objection is None,
        reason="" if objection is None else f"{objection.check}: {objection.message}",
        size_bytes=candidate.size_bytes,
        bits=candidate.bits,
        worst_layer=worst_layer,
        worst_sqnr=worst_sqnr,
        left_out=0 if options is None else _left_out(layers, options),
        psnr=candidate.psnr,
        metric=candidate.metric,
        line="" if options is None else as_toml(options),
    )


def _objections(findings: Sequence[Finding], judged_by: Judge) -> list[Finding]:
    """Why a setting does not pass: failures and unsure findings."""
    deciding = [finding for finding in findings if finding.check in (*_STOPS, judged_by)]
    return [finding for finding in deciding if finding.status in (Status.FAIL, Status.UNSURE)]


def _left_out(layers: Sequence[LayerCompression], options: Compression) -> int:
    return sum(not layer.compressed and layer.elements > options.weight_threshold for layer in layers)


def _caution(findings: Sequence[Finding]) -> str:
    failed = (each for each in findings if each.check == "precision" and each.status is Status.FAIL)
    return next((each.message for each in failed), "")


def _line_that_allows(record: ModelRecord, limits: PrecisionLimits) -> str:
    """The loosest limit that all outputs would need to pass, or empty."""
    allowed: dict[str, list[float]] = {}
    for group in by_output(record.precision).values():
        for violation in figure_violations(group, limits):
            key, _, value = violation.passes_with.partition(" = ")
            allowed.setdefault(key, []).append(float(value))
    loosest = {key: max(found) if key == "top1-margin" else min(found) for key, found in allowed.items()}
    parts = ", ".join(f"{key} = {value:g}" for key, value in loosest.items())
    return f"precision = {{ {parts} }}" if parts else ""


def _not_monotone(tried: Sequence[Tried]) -> str:
    for place, larger in enumerate(tried, 1):
        smaller = [each for each in tried[place:] if each.passes]
        if not larger.passes and smaller:
            return f"`{smaller[0].setting}` passes although the larger `{larger.setting}` does not."
    return ""


def as_text(search: Search) -> str:
    """One line per setting, the largest package first."""
    return "\n".join((*_table(search), "", *_answer(search))) + "\n"


def _table(search: Search) -> list[str]:
    rows = [_titles(search), _row(search.uncompressed, "(uncompressed)")]
    rows += [_row(tried, tried.setting) for tried in search.tried]
    if not search.metric:
        rows = [(*row[:3], *row[4:]) for row in rows]
    return aligned(rows, right=range(1, len(rows[0]) - 1))


def _titles(search: Search) -> tuple[str, ...]:
    return ("setting", "size", "bits", search.metric, "PSNR", "worst layer", "left out", "passes")


def _row(tried: Tried, name: str) -> tuple[str, ...]:
    return (
        name,
        _NOTHING if tried.size_bytes is None else megabytes(tried.size_bytes),
        _NOTHING if tried.bits is None else number(tried.bits),
        _NOTHING if tried.metric is None else number(tried.metric, 4),
        _decibels(tried.psnr),
        _decibels(tried.worst_sqnr),
        str(tried.left_out) if tried.bits is not None else _NOTHING,
        "yes" if tried.passes else "no",
    )


def _decibels(value: float | None) -> str:
    return _NOTHING if value is None else decibels(value)


def _answer(search: Search) -> Iterator[str]:
    by = (
        f"the limit of `{search.metric}`"
        if search.metric
        else "parity and precision, as no metric has a limit"
    )
    yield f"Judged by {by}; every setting was measured."
    if search.not_monotone:
        yield search.not_monotone
    yield from _refusals(search.tried)
    if not search.best:
        yield "No setting passes that makes the package smaller."
        return
    best = next(tried for tried in search.tried if tried.setting == search.best)
    before, after = search.uncompressed.size_bytes or 0, best.size_bytes or 0
    yield (
        f"The smallest that passes is `{best.setting}`: {megabytes(after)} instead of {megabytes(before)}. "
        f"Write for `{search.model}`:"
    )
    yield ""
    yield f"    {best.line}"
    if search.caution:
        yield ""
        yield f"Its precision fails its own limit all the same: {search.caution}"
    if search.caution and search.allow:
        yield "Where the metric decides, write under [model.limits] as well:"
        yield ""
        yield f"    {search.allow}"


def _refusals(tried: Sequence[Tried]) -> Iterator[str]:
    """Why settings could not be made; those that lost too much of the metric are in the table."""
    yield from (f"{each.setting}: {each.reason}" for each in tried if each.size_bytes is None)
