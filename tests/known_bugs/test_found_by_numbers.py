"""Every known bug is found by what the package computes; the table of known bugs is empty meanwhile."""

from collections.abc import Iterator

import pytest
import torch

from coreml_gate.diagnose import known_bugs
from coreml_gate.diagnose.known_bugs import KNOWN_BUGS, KnownBug
from coreml_gate.record import Route
from coreml_gate.tested_versions import minor
from tests.known_bugs.example import measured

CASES = [
    pytest.param(bug, route, id=f"{bug.id} {route}", marks=() if quick else pytest.mark.slow)
    for number, bug in enumerate(KNOWN_BUGS["9.0"])
    for route in bug.routes
    for quick in (route == bug.routes[number % len(bug.routes)],)
]
"""Each bug by one of its routes, and each route by some bugs, is quick enough for every change."""
AGREEING = [bug for bug in KNOWN_BUGS["9.0"] if bug.workaround.startswith("conversion = ")]


@pytest.fixture(autouse=True)
def without_the_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(known_bugs, "KNOWN_BUGS", {})
    yield
    assert known_bugs.bugs_of("9.0") == ()


@pytest.mark.parametrize(("bug", "route"), CASES)
def test_the_example_of_a_known_bug_is_found(bug: KnownBug, route: Route) -> None:
    if bug.shows_from_torch and minor(torch.__version__) < minor(bug.shows_from_torch):
        pytest.skip(f"torch {torch.__version__} writes the operation otherwise")
    assert measured(bug.example, route).on_samples


@pytest.mark.parametrize(
    ("body", "route", "change"),
    [
        ("return torch.atan2(x, y)", "export", "integers"),
        ("return torch.any(x).float()", "export", "samples times 1e-4"),
        ("return torch.all(x).float()", "trace", "samples times 1e-4"),
        ("return F.log_softmax(x, -1)", "export", "samples times 1e3"),
        ("return torch.logcumsumexp(x, -1)", "trace", "samples times 1e3"),
        ("return torch.expm1(x)", "export", "samples times 1e-4"),
        ("return torch.log1p(x.abs())", "trace", "samples times 1e-4"),
        ("return torch.triu(x, 1)", "trace", "infinities"),
        ("return F.scaled_dot_product_attention(x, y, y)", "export", "positive infinities in `y` alone"),
        ("return torch.tril(x, -1)", "trace", "infinities"),
        ("return F.rms_norm(x, (4,))", "trace", "samples times 1e-4"),
        ("return 1 / (x.abs() + 1)", "export", "samples times 1e-4"),
        (
            "return F.scaled_dot_product_attention(x, y, y, is_causal=True)",
            "trace",
            "samples times 1e3",
        ),
    ],
)
def test_what_ordinary_samples_do_not_reach_is_found_by_changed_ones(
    body: str, route: Route, change: str
) -> None:
    found = measured(body, route)
    assert not found.on_samples
    assert change in found.on_changes


@pytest.mark.parametrize(
    ("body", "route", "operation"),
    [
        ("return torch.sub(x.tanh(), y, alpha=0.5).exp()", "export", "sub"),
        ("return F.softplus(x * 2, threshold=1).cos()", "trace", "softplus"),
        ("return torch.atan2(torch.relu(x), y).cos() + y", "export", "atan2"),
        ("z = x * 2\nz[:, 0].add_(1)\nreturn z.exp()", "trace", "add_"),
    ],
)
def test_the_first_wrong_operation_is_the_one_at_fault(body: str, route: Route, operation: str) -> None:
    diagnosis = measured(body, route).diagnosis()
    assert diagnosis.first_wrong.torch_operation == operation
    assert "known" not in diagnosis.first_wrong.hint


@pytest.mark.slow
@pytest.mark.parametrize("bug", AGREEING, ids=[bug.id for bug in AGREEING])
def test_the_other_route_that_is_the_way_out_agrees(bug: KnownBug) -> None:
    named = bug.workaround.split('"')[1]
    other = measured(bug.example, bug.routes[-1]).diagnosis().other_route
    assert other is not None
    assert (named in bug.routes, bool(other.agrees)) == (False, True)
    assert measured(bug.example, named).on_samples is False  # type: ignore[arg-type]  # a route, as text


SOUND = [
    "return torch.sub(x, y, alpha=1) * torch.add(x, 3)",
    "return F.gelu(x) + F.silu(y) * torch.sigmoid(x)",
    "return torch.var(x, dim=-1) + torch.std(y, dim=-1, correction=0)",
    "return F.layer_norm(x @ y.mT, (3,)).softmax(-1)",
    "return torch.where(x > y, x, y).clamp(-1, 1)",
    "return F.scaled_dot_product_attention(x, x, y)",
    "return (x * 3).round().sign() + torch.floor(y)",
    "return x.argmax(-1) + y.sort(-1)[1].sum(-1)",
    "return torch.cat((x, y), 1)[:, 1:-1].flip(-1).cumsum(-1)",
    "return (x - x.mean(-1, True)) / (x.std(-1, keepdim=True) + 1e-5)",
]


@pytest.mark.parametrize("body", SOUND)
def test_a_sound_conversion_raises_no_alarm(body: str) -> None:
    found = measured(body, "export")
    assert not found.on_samples
    assert found.on_changes == ()
