"""What the search for a compression says to people: a table, the answer, and the line to write."""

from collections.abc import Iterator, Sequence

from coreml_gate.variants.search import Search, Tried
from coreml_gate.wording import megabytes, number

_NOTHING = "-"


def as_text(search: Search) -> str:
    """A line per setting, the largest package first."""
    return "\n".join((*_table(search), "", *_answer(search))) + "\n"


def _table(search: Search) -> Iterator[str]:
    rows = [_titles(search), _row(search.uncompressed, "(uncompressed)")]
    rows += [_row(tried, tried.setting) for tried in search.tried]
    if not search.metric:
        rows = [(*row[:3], *row[4:]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *figures = (*row[:-1],)
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(figures, widths[1:-1], strict=True)),
        ]
        yield "  ".join([*cells, row[-1]]).rstrip()


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
    return _NOTHING if value is None else f"{value:.1f} dB"


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
    """The reason of each setting that could not be made; one that lost its metric is seen in the table."""
    yield from (f"{each.setting}: {each.reason}" for each in tried if each.size_bytes is None)
