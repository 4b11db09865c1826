"""The first wrong operation, found in packages that the installed converter gets wrong."""

from pathlib import Path

import pytest

from coreml_gate.record import FirstWrong, ParityDiagnosis, Route
from tests.diagnose.looking import HEADER, SAMPLES, look, module

TWO = f"""
class Inner(nn.Module):
    def forward(self, x):
        return torch.add(x, x.relu(), alpha=0.5)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.ModuleList([nn.Tanh(), Inner()])

    def forward(self, x):
        for layer in self.inner:
            x = layer(x)
        y = torch.sub(x.tanh(), x, alpha=3)
        z = torch.sub(x.cos(), 1.0)
        return y, z
{SAMPLES}"""

LIKE_AN_INPUT = f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(4, 4)

    def forward(self, x):
        given = x
        x = self.first(x).relu()
        y = F.softplus(x, threshold=1)
        return y - given
{SAMPLES}"""


def wrong(diagnosis: ParityDiagnosis | None) -> FirstWrong:
    assert diagnosis is not None
    return diagnosis.first_wrong


def line(text: str, part: str) -> str:
    lines = (HEADER + text).splitlines()
    return f"net.py:{next(number for number, item in enumerate(lines, 1) if part in item)}"


def test_the_first_of_several_is_named_with_module_and_line(tmp_path: Path) -> None:
    found = wrong(look(tmp_path, TWO, "export"))
    assert (found.operation_type, found.torch_operation, found.module) == ("add", "add", "inner.1")
    assert found.place == line(TWO, "torch.add(")
    assert found.inherited < 1e-6
    assert (found.error or 0) > 1e-4
    assert found.errors[found.operation] == found.error
    assert len(found.errors) == found.counts["matched"] + found.counts["differs"]
    assert min(found.errors.values()) < 1e-6
    assert found.reason == "the converter never reads `alpha` = 0.5 of `add`"


@pytest.mark.parametrize("route", ["export", "trace"])
def test_an_operation_between_others_on_both_routes(tmp_path: Path, route: Route) -> None:
    text = module("torch.atan2(torch.relu(h), -torch.ones_like(h))")
    found = wrong(look(tmp_path, text, route))
    assert (found.torch_operation, found.place) == ("atan2", line(text, "torch.atan2("))
    assert found.counts["differs"] >= 1
    assert found.counts["no counterpart"] > found.counts["matched"]
    assert 0 < found.compared_share < 1


def test_a_write_that_the_trace_loses(tmp_path: Path) -> None:
    text = module("h.clone()\n        h[:, 0].add_(1)\n        h = h.tanh()")
    diagnosis = look(tmp_path, text, "trace")
    found = wrong(diagnosis)
    assert (found.torch_operation, found.lost, found.place) == ("add_", True, line(text, "add_(1)"))
    assert diagnosis is not None
    assert diagnosis.other_route is not None
    assert (diagnosis.other_route.route, diagnosis.other_route.agrees) == ("export", True)


def test_a_traced_value_called_like_an_input_is_told_from_it(tmp_path: Path) -> None:
    diagnosis = look(tmp_path, LIKE_AN_INPUT, "trace")
    found = wrong(diagnosis)
    assert (found.torch_operation, found.place) == ("softplus", line(LIKE_AN_INPUT, "F.softplus("))
    assert found.counts == {"matched": 2, "differs": 2}
    assert diagnosis is not None
    assert diagnosis.conversions == 2, "one without passes, one by the other route"


def test_a_pass_that_takes_an_operation_away_is_named_and_can_be_left_out(tmp_path: Path) -> None:
    text = module("torch.remainder(h, 1)")
    diagnosis = look(tmp_path, text, "export")
    found = wrong(diagnosis)
    assert diagnosis is not None
    assert diagnosis.conversions <= 9, (
        "of nearly a hundred passes only those that change the program are tried"
    )
    assert "`common::noop_elimination`" in found.reason
    assert found.hint.startswith('skip the pass: converter = { skip-passes = ["common::noop_elimination"] }')


def test_a_shape_that_differs_has_no_number(tmp_path: Path) -> None:
    found = wrong(look(tmp_path, module("torch.diagonal(h)"), "export"))
    assert (found.torch_operation, found.error) == ("diagonal", None)


@pytest.mark.parametrize("route", ["export", "trace"])
def test_sound_models_differ_nowhere(tmp_path: Path, route: Route) -> None:
    text = module("F.gelu(F.layer_norm(h, (4,))).softmax(-1) @ h.transpose(1, 2)")
    assert look(tmp_path, text, route) is None


def test_an_operation_that_changes_the_best_class_by_less_than_the_limit_is_named(tmp_path: Path) -> None:
    text = module("1000 + 0.02 * torch.sub(h, 2 * h.flip(-1), alpha=0.2)").replace("return h * 2", "return h")
    diagnosis = look(tmp_path, text, "export")
    found = wrong(diagnosis)
    assert diagnosis is not None
    assert diagnosis.found_on == "samples"
    assert (found.torch_operation, found.place) == ("sub", line(text, "torch.sub("))
