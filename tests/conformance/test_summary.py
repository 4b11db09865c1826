"""Do the counts say what the ledger holds?"""

from conformance import ledger, summary


def _entries() -> list[ledger.Entry]:
    conv, add = {"conv": 15, "add": 15}, {"add": 18}
    return [
        ledger.Entry("iOS14/conv::a", "", "iOS14/conv", "passed", 1, 1, operations=conv),
        ledger.Entry("iOS14/conv::a", "", "iOS14/conv", "failed", 1, 1, operations=conv),
        ledger.Entry("iOS14/conv::b", "", "iOS14/conv", "passed", seconds=4.4),
        ledger.Entry("iOS18/sum::c", "", "iOS18/sum", "passed", 2, 2, operations=add),
        ledger.Entry(
            "iOS18/sum::d", "", "iOS18/sum", "excluded", 1, 1, operations=add, reason="undefined: why"
        ),
        ledger.Entry("iOS18/sum::e", "", "iOS18/sum", "xfailed", 1, 1, operations=add),
    ]


def test_the_rate_counts_what_predicts() -> None:
    assert summary.rate(_entries()) == (2, 3)


def test_group_table() -> None:
    assert summary.group_table(_entries()).splitlines()[2:] == [
        "| iOS14/conv | 3 | 2 | 2 | 1 | 0 | 0 | 0 | 0 | 4 |",
        "| iOS18/sum | 3 | 3 | 1 | 0 | 1 | 1 | 0 | 0 | 0 |",
        "| **all** | 6 | 5 | 3 | 1 | 1 | 1 | 0 | 0 | 4 |",
    ]


def test_operation_counts_are_kept_per_opset() -> None:
    assert summary.operation_counts(_entries()) == {
        "conv": {"15": {"passed": 1, "failed": 1}},
        "add": {"15": {"passed": 1, "failed": 1}, "18": {"passed": 1, "excluded": 1}},
    }


def test_reasons() -> None:
    assert summary.reasons(_entries()) == [("undefined: why", 1)]
