from coreml_gate.frozen import changed
from zoo.row import Parity, Row
from zoo.table import COLUMNS, means, notes, table

ROW = Row(
    model="net",
    parameters=25_557_032,
    route="trace",
    notes=("the export route failed:\nno converter",),
    operations=124,
    package_bytes=51_239_910,
    parity={"fp32": Parity(psnr=None, relative_error=0.0), "fp16": Parity(psnr=43.94, relative_error=2.1e-2)},
    ratios={"eager": 1.0, "fp32": 0.5},
    peak_bytes={"eager": 100_000_000, "fp32": 110_000_000, "fp16": 90_000_000},
)


def cells(row: Row) -> dict[str, str]:
    values = table([row]).splitlines()[2].strip("| ").split(" | ")
    return dict(zip(COLUMNS, values, strict=True))


def test_figures_have_their_units() -> None:
    shown = cells(ROW)
    assert shown["Parameters (M)"] == "25.6"
    assert shown["Package (MB)"] == "51.2"
    assert shown["fp32 PSNR (dB)"] == "equal"
    assert shown["fp16 PSNR (dB)"] == "43.9"
    assert shown["Peak fp32 / fp16"] == "1.10 / 0.90"
    assert shown["Eager peak (MB)"] == "100"


def test_what_was_not_measured_is_a_dash() -> None:
    assert set(cells(Row(model="net", failures=("broke",))).values()) == {"net", "-"}


def test_means_name_only_what_was_measured() -> None:
    fast = changed(ROW, ratios={"eager": 1.0, "fp32": 2.0})
    assert means([ROW, fast]) == "Geometric means: fp32 / eager 1.00."
    assert means([Row(model="net")]) == "No times were measured."


def test_a_note_stays_on_one_line() -> None:
    failed = Row(model="other", failures=("conversion: no\nway",))
    assert notes([ROW, failed]).splitlines() == [
        "- `net`: the export route failed: no converter",
        "- `other` failed: conversion: no way",
    ]
