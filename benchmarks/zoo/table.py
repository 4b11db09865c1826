"""The table as Markdown, with its means, its notes and the expectations."""

from collections.abc import Callable, Sequence

from zoo.expectations import EXPECTATIONS, mean_of, time_ratio
from zoo.row import Parity, Row

DASH = "-"
Cell = Callable[[Row], str]


def number(value: float | None, form: str = ".2f") -> str:
    return DASH if value is None else format(value, form)


def psnr(parity: Parity | None) -> str:
    if parity is None:
        return DASH
    return "equal" if parity.psnr is None else f"{parity.psnr:.1f}"


def error(parity: Parity | None) -> str:
    return DASH if parity is None else f"{parity.relative_error:.1e}"


def scaled(value: float | None, factor: float, form: str = ".1f") -> str:
    return DASH if value is None else format(value / factor, form)


def peaks(row: Row) -> str:
    """Both modes against torch eager."""
    eager = row.peak_bytes.get("eager")
    if eager is None:
        return DASH
    return " / ".join(
        number(row.peak_bytes[mode] / eager) for mode in ("fp32", "fp16") if mode in row.peak_bytes
    )


COLUMNS: dict[str, Cell] = {
    "Model": lambda row: row.model,
    "Parameters (M)": lambda row: scaled(row.parameters, 1e6),
    "Route": lambda row: row.route or DASH,
    "Conversion (s)": lambda row: number(row.conversion_seconds, ".1f"),
    "Operations": lambda row: number(row.operations, "d"),
    "Package (MB)": lambda row: scaled(row.package_bytes, 1e6),
    "Load fp32 / fp16 (s)": lambda row: " / ".join(map(number, row.load_seconds.values())) or DASH,
    "fp32 PSNR (dB)": lambda row: psnr(row.parity.get("fp32")),
    "fp32 error": lambda row: error(row.parity.get("fp32")),
    "fp16 PSNR (dB)": lambda row: psnr(row.parity.get("fp16")),
    "Eager (ms)": lambda row: number(row.milliseconds.get("eager"), ".1f"),
    "fp32 / eager": lambda row: number(row.ratios.get("fp32")),
    "fp16 / eager": lambda row: number(row.ratios.get("fp16")),
    "fp16 / fp32": lambda row: number(row.fp16_to_fp32),
    "ONNX / eager": lambda row: number(row.ratios.get("onnx")),
    "Peak fp32 / fp16": peaks,
    "Eager peak (MB)": lambda row: scaled(row.peak_bytes.get("eager"), 1e6, ".0f"),
}

_MEANS = {
    "fp32 / eager": mean_of(time_ratio("fp32")),
    "fp16 / eager": mean_of(time_ratio("fp16")),
    "fp16 / fp32": mean_of(lambda row: row.fp16_to_fp32),
    "ONNX / eager": mean_of(time_ratio("onnx")),
}


def table(rows: Sequence[Row]) -> str:
    lines = [[*COLUMNS], ["---", *["---:"] * (len(COLUMNS) - 1)]]
    lines += [[cell(row) for cell in COLUMNS.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def means(rows: Sequence[Row]) -> str:
    found = [f"{name} {value:.2f}" for name, mean in _MEANS.items() for value in mean(rows).values()]
    return f"Geometric means: {', '.join(found)}." if found else "No times were measured."


def notes(rows: Sequence[Row]) -> str:
    """One line per failure and per note of a conversion: why a route was not taken."""
    lines = []
    for row in rows:
        lines += [f"- `{row.model}` failed: {_one_line(text)}" for text in row.failures]
        lines += [f"- `{row.model}`: {_one_line(text)}" for text in row.notes]
    return "\n".join(lines)


def expectations(rows: Sequence[Row]) -> str:
    return "\n".join(f"- {item.text}: {item.outcome(rows)}" for item in EXPECTATIONS)


def _one_line(text: str) -> str:
    return " ".join(text.split())
