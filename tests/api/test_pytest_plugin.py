"""The plugin in a run of pytest: a pass, a failure with its way out, and a skip where nothing is known."""

from typing import Final

import pytest

from coreml_gate import assert_core_ml_parity
from coreml_gate.runtime.registry import REGISTRY
from tests.api.models import Scorer, samples

APART: Final = ("-p", "no:cacheprovider", "-p", "no:slipcover")
"""An inner session leaves no files, and leaves counting lines to the outer one, which it would end."""

PRELUDE = "from tests.api.models import Overflowing, Scorer, samples\n"


@pytest.fixture(autouse=True, scope="module")
def _torch_is_imported() -> None:
    """An inner session forgets what it imports, and parts of torch can be imported only once."""
    assert_core_ml_parity(Scorer(), samples())


def test_a_sound_model_passes_and_an_overflow_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        PRELUDE
        + """
def test_sound(assert_core_ml_parity):
    assert assert_core_ml_parity(Scorer(), samples()).status == "pass"

def test_overflowing(assert_core_ml_parity):
    assert_core_ml_parity(Overflowing(), samples(1000.0))

def test_overflowing_in_float32(assert_core_ml_parity):
    assert_core_ml_parity(Overflowing(), samples(1000.0), precision="float32")

def test_by_import():
    from coreml_gate import assert_core_ml_parity
    assert_core_ml_parity(Scorer(), samples(), limits={"precision": {"psnr": 120}})
"""
    )
    run = pytester.runpytest_inprocess(*APART)
    run.assert_outcomes(passed=2, failed=2)
    run.stdout.no_fnmatch_line("*torch.__trace*")
    run.stdout.fnmatch_lines(["precision: output `output_0` *", "  Hint: *"])


def test_what_cannot_be_compared_is_skipped_with_the_reason(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(REGISTRY, "softmax")
    pytester.makepyfile(
        PRELUDE
        + """
def test_unknown(assert_core_ml_parity):
    assert_core_ml_parity(Scorer(), samples())
"""
    )
    run = pytester.runpytest_inprocess(*APART, "-rs")
    run.assert_outcomes(skipped=1)
    run.stdout.fnmatch_lines(["*Core ML parity cannot be judged: *softmax*"])


def test_an_output_that_cannot_be_judged_beside_another_is_a_warning(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import torch

        class Rounded(torch.nn.Module):
            def forward(self, x):
                return x + 1, (x * 30.01).int()

        def test_it(assert_core_ml_parity):
            x = torch.arange(1, 401).reshape(1, 400) / 16.0
            assert_core_ml_parity(Rounded(), [x, x + 1 / 3, x + 2 / 3, 2 * x])
        """
    )
    run = pytester.runpytest_inprocess(*APART, "-W", "default")
    run.assert_outcomes(passed=1, warnings=1)
    run.stdout.fnmatch_lines(["*PytestWarning: precision: *integers differ*"])
