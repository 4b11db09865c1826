"""The page on speed: ratios through torch eager, goals with what misses them, failures with their reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from speed import bench, evaluate
from speed.page import page, to_onnx
from zoo import child
from zoo.page import Conditions
from zoo.row import Row
from zoo.variants import Subject

CONDITIONS = Conditions(rounds=3, threads=1, cpu_time=True, loads=(0.5, 2.0))


def row(name: str, fp32: float, onnx: float | None) -> Row:
    ratios = {"eager": 1.0, "fp32": fp32, "fp16": 2 * fp32} | ({} if onnx is None else {"onnx": onnx})
    return Row(model=name, milliseconds={"eager": 8.0}, ratios=ratios, fp16_to_fp32=2.0)


def test_the_page_says_what_is_missed_and_by_how_much() -> None:
    rows = {"zoo": [row("fast", 0.4, 0.8), row("slow", 1.6, 0.8)], "outside": [row("alone", 0.9, None)]}
    text = page(rows, CONDITIONS, "| a table |", "| another |")
    assert "<!-- whole runs -->\n| a table |\n<!-- /whole runs -->" in text
    assert "<!-- evaluation -->\n| another |\n<!-- /evaluation -->" in text
    assert "| `fast` | 8.00 | 0.40 | 0.80 | 0.80 | 0.50 | 2.00 |" in text
    assert "fp32 / eager 0.80" in text
    assert "fp32 / ONNX 1.00" in text
    assert "- fp32 on average at most ONNX Runtime's time: met" in text
    assert "- fp32 of each at most torch eager's time: missed: slow 1.6" in text
    assert "- fp16 on average at most 1.1 times fp32: missed: geometric mean 2" in text
    assert "- fp32 on average at most 1.05 times ONNX Runtime's: not measured" in text
    assert "CPU time of the process" in text


def test_a_net_without_onnx_has_no_ratio_to_it() -> None:
    assert to_onnx(row("alone", 0.9, None)) is None
    assert to_onnx(row("both", 0.9, 0.6)) == pytest.approx(1.5)


def test_an_evaluation_has_the_seconds_of_all_rounds_and_the_median_ratio() -> None:
    text = evaluate.table({evaluate.ONNX: [2.0, 4.0, 10.0], "fp16": [3.0, 4.0, 40.0]})
    assert text.splitlines()[2:] == ["| ONNX Runtime | 16.0 | 1.00 |", "| fp16 | 47.0 | 1.50 |"]


def test_a_failed_net_is_a_line_with_its_reason() -> None:
    text = page(
        {"zoo": [Row(model="gru", failures=("the process\nended",))], "outside": []}, CONDITIONS, "", ""
    )
    assert "- `gru`: the process ended" in text
    assert "- fp32 of each at most torch eager's time: not measured" in text


def test_a_package_that_stands_is_not_converted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def measure(subject: Subject, row_: Row, rounds: int, clock: object, what: str) -> Iterator[Row]:
        steps.append(f"{what} {subject.threads}")
        if what == "convert":
            (subject.folder / "package.mlpackage").mkdir()
        yield row(row_.model, 1.0, 0.5)

    monkeypatch.setattr(bench, "measure", measure)
    net = bench.Net("outside", "gru")
    assert bench.kept(net, tmp_path) is None
    assert [bench.measured(net, tmp_path, 3).ratios["onnx"] for _ in range(2)] == [0.5, 0.5]
    assert steps == ["convert 1", "time 1", "time 1"]
    assert bench.kept(net, tmp_path) == row("gru", 1.0, 0.5)


def test_a_conversion_that_fails_takes_no_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Row(model="gru", failures=("conversion: no",))
    monkeypatch.setattr(bench, "measure", lambda *_: iter([failed]))
    assert bench.measured(bench.Net("zoo", "gru"), tmp_path, 3) == failed


def test_every_net_outside_is_built_and_sampled_by_functions_of_nets_py() -> None:
    text = (bench.FOLDER / "nets.py").read_text(encoding="utf-8")
    models = bench.load_config(bench.FOLDER).model
    assert len(models) >= 9
    for model in models:
        assert model.samples is not None
        for reference in (model.source, model.samples):
            assert f"def {reference.partition(':')[2]}(" in text


def test_a_child_can_take_a_single_step() -> None:
    assert [len(child.steps_of(what, 1, lambda: 0.0)) for what in ("convert", "time", "measure")] == [1, 1, 4]
