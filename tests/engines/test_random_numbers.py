"""A model that draws random numbers is measured like any other: source and package draw the same."""

from pathlib import Path

import pytest

from coreml_gate.verdict import Status
from tests.reports.case import Case, normal, verdict_on

CASES = (
    Case(
        "noise",
        "S",
        "return torch.rand(2, 8) * self.l(x) + torch.randn_like(x)",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 8)",
    ),
    Case("class", "S", "return torch.multinomial(torch.softmax(x, -1), 1)", normal("4, 8")),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_model_that_draws_random_numbers_has_parity_and_precision(case: Case, tmp_path: Path) -> None:
    verdict = verdict_on(case, tmp_path)
    for name in ("parity", "precision", "hazards"):
        assert {each.status for each in verdict.of(name)} == {Status.PASS}, name
