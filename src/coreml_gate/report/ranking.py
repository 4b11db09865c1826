"""The packages of a model as an aligned table, for the comment and the terminal alike."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from coreml_gate import figures
from coreml_gate.verdict import Candidate, Ranking
from coreml_gate.wording import aligned

Show = Callable[[float], str]
SHIPS: Final = " (ships)"
FRONT: Final = "*"
_ELIGIBLE: Final = {"yes": "yes", "no": "NO", "unsure": "?"}
_LEGEND: Final = (
    f"{FRONT} eligible (ok), and no other eligible package is at least as good in everything and better in "
    "something. dB: PSNR against the float32 twin. bits: per weight."
)
_MILLION: Final = 1e6


def table(ranking: Ranking) -> tuple[str, ...]:
    """A header and one line per package, without empty columns."""
    timed = any(candidate.latency_ms is not None for candidate in ranking.candidates)
    size = figures.byte_unit(_sizes(ranking.candidates)).show
    rows = [_titles(ranking, timed=timed)]
    rows += [_row(candidate, size, timed=timed) for candidate in ranking.candidates]
    filled = [column for column in zip(*rows, strict=True) if set(column[1:]) != {figures.DASH}]
    return tuple(aligned(list(zip(*filled, strict=True)), right=range(2, len(filled))))


def footnotes(ranking: Ranking) -> tuple[str, ...]:
    """Why some are not eligible, what the star means, and what to know before choosing."""
    refused = (
        f"{each.name}: {each.reason}" for each in ranking.candidates if each.eligible != "yes" and each.reason
    )
    return (*refused, _LEGEND, *ranking.notes)


def _titles(ranking: Ranking, *, timed: bool) -> tuple[str, ...]:
    speed = "ms" if timed else "~MMAC"
    return (
        "",
        "package",
        "ok",
        "size",
        "memory",
        speed,
        "~moved",
        ranking.metric or "metric",
        "dB",
        "bits",
    )


def _row(candidate: Candidate, size: Show, *, timed: bool) -> tuple[str, ...]:
    latency = "" if candidate.latency_ms is None else f"{candidate.latency_ms:.3g}"
    compute = "" if candidate.macs is None else f"{candidate.macs / _MILLION:.3g}"
    return (
        FRONT if candidate.on_front else "",
        candidate.name + (SHIPS if candidate.ships else ""),
        _ELIGIBLE[candidate.eligible],
        _shown(candidate.size_bytes, size),
        _shown(candidate.memory_bytes, size),
        (latency if timed else compute) or figures.DASH,
        figures.DASH if timed else _shown(candidate.moved_bytes, size),
        _shown(candidate.metric, figures.number),
        _shown(candidate.psnr, lambda psnr: f"{psnr:.1f}"),
        _shown(candidate.bits, lambda bits: f"{bits:.3g}"),
    )


def _shown(value: float | None, show: Show) -> str:
    return figures.DASH if value is None else show(value)


def _sizes(candidates: Sequence[Candidate]) -> Iterable[float]:
    return [size for each in candidates for size in (each.size_bytes, each.memory_bytes) if size is not None]
