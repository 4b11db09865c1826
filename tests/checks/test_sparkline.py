from coreml_gate.checks.sparkline import sparkline


def test_the_greatest_bar_is_full_and_only_zero_is_empty() -> None:
    assert sparkline((0, 1, 4, 8)) == " ▁▄█"
    assert sparkline((0, 0)) == "  "
    assert sparkline((1, 1000)) == "▁█"
    assert sparkline(()) == ""
