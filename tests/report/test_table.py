from coreml_gate.report.table import Figure, build_table
from coreml_gate.verdict import Finding, Status
from tests.builders import finding, model_verdict, verdict
from tests.report.verdicts import accuracy, parity, precision, size, sound


def test_the_worst_output_stands_for_all() -> None:
    outputs = (parity(1e-7, None), parity(3e-6, None), precision(60, None), precision(45, None))
    (row,) = build_table(verdict(model_verdict(*outputs))).rows
    assert [figure.value for (figure,) in row.cells] == ["3.0e-6", "45.0 dB"]


def test_a_failure_stands_before_a_worse_figure_that_passes() -> None:
    outputs = (parity(1e-3, None), parity(1e-6, None, status=Status.FAIL))
    (row,) = build_table(verdict(model_verdict(*outputs))).rows
    assert row.cells == ((Figure("1.0e-6", Status.FAIL),),)


def test_a_column_has_one_unit() -> None:
    models = (model_verdict(size(0.05, None)), model_verdict(size(120_000, None, unit="bytes")))
    rows = build_table(verdict(*models)).rows
    assert [row.cells[0][0].value for row in rows] == ["0.050 MB", "0.120 MB"]


def test_what_has_no_value_is_no_number() -> None:
    answers = (
        precision(None, None),
        size(value=None, base=None, status=Status.UNSURE),
        parity(status=Status.SKIPPED),
    )
    row, _ = build_table(verdict(model_verdict(*answers), model_verdict(parity()))).rows
    assert row.cells == ((Figure("–", Status.UNSURE),), (), (Figure("exact", Status.PASS),))  # noqa: RUF001 - an en dash


def test_a_check_that_did_not_run_has_no_column() -> None:
    assert build_table(verdict(model_verdict(accuracy(status=Status.SKIPPED)))).titles == ()


def test_each_metric_has_a_figure_the_gravest_first() -> None:
    metrics = [accuracy(subject=f"top{n}") for n in range(4)] + [accuracy(subject="top9", status=Status.FAIL)]
    (row,) = build_table(verdict(model_verdict(*metrics))).rows
    assert [figure.label for figure in row.cells[0]] == ["top9", "top0", "top1"]


def test_models_that_block_come_first() -> None:
    models = (
        sound("fine"),
        sound("warned", accuracy(status=Status.WARN)),
        sound("blocked", accuracy(status=Status.FAIL)),
        sound("unsure", accuracy(status=Status.UNSURE)),
        sound("fine too"),
    )
    rows = build_table(verdict(*models)).rows
    assert [row.model.name for row in rows] == ["blocked", "warned", "unsure", "fine", "fine too"]


def compute(value: float, base: float | None, status: Status = Status.PASS) -> Finding:
    return finding(check="cost", subject="compute", value=value, base=base, unit="MMAC", status=status)


def test_a_cost_that_did_not_change_has_no_column() -> None:
    assert build_table(verdict(model_verdict(compute(50, 50)), model_verdict(compute(7, None)))).titles == ()


def test_a_cost_that_changed_gives_every_model_a_figure() -> None:
    table = build_table(verdict(model_verdict(compute(50, 50)), model_verdict(compute(51, 50))))
    assert table.titles == ("Compute",)
    assert [row.cells[0][0] for row in table.rows] == [
        Figure("50.0 MMAC", Status.PASS, "=", base="50.0 MMAC"),
        Figure("51.0 MMAC", Status.PASS, "+2.0 %", base="50.0 MMAC"),
    ]


def test_a_float32_package_says_so_in_the_column_of_half_precision() -> None:
    nothing = finding(check="precision", status=Status.SKIPPED, value=None, unit="float32")
    table = build_table(verdict(model_verdict(nothing)))
    assert table.titles == ("FP16 PSNR",)
    assert table.rows[0].cells == ((Figure("float32", Status.PASS),),)
