"""A source whose answers are no numbers is not measured: a package as broken as it would be its equal."""

from pathlib import Path

import pytest

from coreml_gate.verdict import Finding, Status
from tests.reports.case import Case, normal, verdict_on

LINEAR = "self.l = nn.Linear(8, 4)"
DIVERGED = LINEAR + "\nnn.init.constant_(self.l.weight, float('nan'))"


def said_of_source(case: Case, folder: Path) -> tuple[Finding, ...]:
    return verdict_on(case, folder).of("source")


@pytest.mark.parametrize(
    ("forward", "setup", "cause"),
    [
        ("return self.l(x)", DIVERGED, "; its `l.weight` holds NaN."),
        ("return self.l(x) / 0.0", LINEAR, "in 4 samples."),
        ("return {'found': x.argmax(-1), 'scores': torch.log(-x.abs() - 1)}", LINEAR, "output `scores`"),
    ],
)
def test_an_output_without_a_number_is_refused(forward: str, setup: str, cause: str, tmp_path: Path) -> None:
    (finding,) = said_of_source(Case("net", "M", forward, normal("2, 8"), setup=setup), tmp_path)
    assert finding.status is Status.FAIL
    assert "is NaN or infinite everywhere" in finding.message
    assert cause in finding.message


@pytest.mark.parametrize(
    "forward",
    [
        "return torch.cat([self.l(x), x[:, :4] / 0.0], 1)",
        "return self.l(x).masked_fill(x[:, :4] > 0, float('-inf'))",
        "return self.l(x).argmax(-1)",
    ],
)
def test_an_output_with_some_numbers_is_measured(forward: str, tmp_path: Path) -> None:
    assert said_of_source(Case("net", "M", forward, normal("2, 8"), setup=LINEAR), tmp_path) == ()


def test_layers_that_pack_their_weights_are_measured_up_to_their_conversion(tmp_path: Path) -> None:
    tail = "def packed():\n    return torch.ao.quantization.quantize_dynamic(build(), {nn.Linear})"
    case = Case(
        "net",
        "M",
        "return self.l(x)",
        normal("2, 8"),
        setup=LINEAR,
        tail=tail,
        options={"source": "net.py:packed"},
    )
    verdict = verdict_on(case, tmp_path)
    assert verdict.of("source") == ()
    assert "convert the float model" in verdict.of("conversion")[0].hint


@pytest.mark.parametrize(
    ("forward", "kind", "refused"),
    [
        ("return (x + 200).float() / 255", "uint8", True),
        ("return (x.int() + 200).float() / 255", "uint8", False),
        ("return (x * 300).float()", "int16", True),
        ("return x + 200", "int32", False),
    ],
)
def test_a_source_that_wraps_narrow_integers_is_refused(
    forward: str, kind: str, refused: bool, tmp_path: Path
) -> None:
    yielded = f"for _ in range(4): yield torch.randint(100, 127, (1, 8), generator=g).to(torch.{kind}) * 2"
    found = said_of_source(Case("net", "L", forward, yielded), tmp_path)
    assert [f"computes in {kind} with `x`" in finding.message for finding in found] == [True] * refused
