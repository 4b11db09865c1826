"""Every operation's range, place and error, beside what is known of a small model."""

import pytest
from pydantic import ValidationError

from coreml_gate.diagnose import operation_profile as module
from coreml_gate.diagnose.operation_profile import operation_profile
from coreml_gate.record import OperationProfile
from tests.diagnose.conftest import MakeBench

OVERFLOWS = """
class Net(nn.Module):
    def forward(self, x):
        scaled = x * 300
        squared = scaled * scaled
        return squared.sqrt() * 0.01

def samples():
    return [torch.full((1, 4), value) for value in (0.1, 1.0)]
"""


def test_the_profile_shows_where_half_precision_ends(bench: MakeBench) -> None:
    made = bench(OVERFLOWS)
    found = operation_profile(made.case, made.ranges, made.case.inputs[1])
    columns = list(zip(found.places, found.reaches, found.errors["fp16"], strict=True))
    by_place = {place: (reaches, error) for place, reaches, error in columns if reaches is not None}
    assert by_place["net.py:6"] == (300.0, 0.0)
    assert by_place["net.py:7"][0] == 90_000.0
    assert (by_place["net.py:7"][1] or 0) >= 1e8
    assert set(found.errors) == {"fp16", "neural-engine"}


def test_the_errors_are_those_of_the_sample(bench: MakeBench) -> None:
    made = bench(OVERFLOWS)
    found = operation_profile(made.case, made.ranges, made.case.inputs[0])
    assert all(error is None or error < 1e-2 for error in found.errors["fp16"])


def test_of_a_long_program_the_worst_of_each_stretch_is_shown(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(OVERFLOWS)
    monkeypatch.setattr(module, "MOST_OPERATIONS", 2)
    found = operation_profile(made.case, made.ranges, made.case.inputs[1])
    assert len(found.operations) == 2
    assert max(error or 0 for error in found.errors["fp16"]) >= 1e8


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValidationError, match="has not the length of the 2 operations"):
        OperationProfile(operations=("a", "b"), places=("", ""), reaches=(1.0,))
