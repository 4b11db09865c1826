"""``convert``, ``run_package`` and ``compare``; and what importing the API costs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import coreml_gate
from coreml_gate import ConvertedModel, compare, convert, run_package
from coreml_gate.errors import ConversionError, InputError, UsageError
from coreml_gate.verdict import Status
from tests.api.models import Overflowing, Scorer, samples


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> ConvertedModel:
    return convert(Overflowing(), samples(), folder=tmp_path_factory.mktemp("converted"), output=["unit"])


def test_the_package_computes_what_the_model_does(converted: ConvertedModel) -> None:
    x = samples()[1]
    outputs = run_package(converted.package, {"x": x})
    assert list(outputs) == ["unit"]
    np.testing.assert_allclose(outputs["unit"], Overflowing()(x), atol=2e-3)
    assert converted.route == "export"


def test_the_modes_differ_where_half_precision_overflows(converted: ConvertedModel) -> None:
    x = 1000.0 * samples()[0]
    half = run_package(converted.package, {"x": x})["unit"]
    single = run_package(converted.float32, {"x": x.double().numpy()}, mode="fp32")["unit"]
    assert not half.any()
    np.testing.assert_allclose(single, Overflowing()(x), rtol=1e-5)


def test_a_wrong_input_is_named(converted: ConvertedModel) -> None:
    with pytest.raises(InputError, match="input `x` is missing"):
        run_package(converted.package, {"y": samples()[0]})
    with pytest.raises(InputError, match="input `x` holds <U4 values"):
        run_package(converted.package, {"x": "text"})


def test_a_model_that_does_not_convert_is_an_exception(tmp_path: Path) -> None:
    class Unconvertible(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.special.bessel_j0(x)

    with pytest.raises(ConversionError, match="bessel_j0"):
        convert(Unconvertible(), samples(), folder=tmp_path)


def test_outputs_are_compared_by_the_rules_of_the_gate() -> None:
    reference = {"scores": torch.tensor([[1.0, 2.0, 4.0]])}
    near = compare(reference, {"scores": np.array([[1.0, 2.0, 4.001]])})
    assert (near.status, str(near)) == (Status.PASS, "scores: pass")
    assert near.psnr == pytest.approx(20 * np.log10(4 / (0.001 / np.sqrt(3))), abs=1e-2)
    strict = compare(reference, {"scores": np.array([[1.0, 2.0, 4.001]])}, precision="float32")
    assert strict.status is Status.FAIL
    assert "allowed 0.0004 (0.0001 of the greatest value, 4)" in str(strict)
    looser = compare(
        reference,
        {"scores": np.array([[1.0, 2.0, 4.001]])},
        precision="float32",
        limits={"parity": {"max_error": 1e-3}},
    )
    assert looser.status is Status.PASS


def test_outputs_go_by_position_where_no_name_agrees() -> None:
    compared = compare((torch.ones(2), torch.zeros(2)), {"a": np.ones(2), "b": np.ones(2)})
    assert [name for name, found in compared.violations.items() if found] == ["output_1"]


def test_several_samples_are_compared_one_by_one() -> None:
    reference = [{"y": np.ones(2)}, {"y": np.ones(2)}]
    compared = compare(reference, [{"y": np.ones(2)}, {"y": np.array([1.0, np.nan])}])
    assert compared.status is Status.FAIL
    assert "(1,) of sample 1" in str(compared)


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ([{"y": 1}, {"y": 1}], "1 sample"),
        ({"y": 1, "z": 1}, "`y`, `z`"),
        ({}, "none"),
    ],
)
def test_sides_that_do_not_fit_are_refused(candidate: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        compare({"y": 1}, candidate)  # type: ignore[arg-type]


def test_every_name_of_the_api_is_there_and_no_other() -> None:
    names = [name for name in coreml_gate.__all__ if name != "__version__"]
    assert {name: getattr(coreml_gate, name).__name__ for name in names} == {name: name for name in names}
    with pytest.raises(AttributeError, match="no attribute `chekc`"):
        _ = coreml_gate.chekc


def test_a_submodule_does_not_take_the_place_of_a_function() -> None:
    taken = {path.stem for path in Path(coreml_gate.__file__).parent.iterdir()}
    assert taken.isdisjoint(coreml_gate.__all__)


def test_importing_the_package_and_the_plugin_loads_nothing_slow() -> None:
    code = (
        "import sys, coreml_gate, coreml_gate.pytest_plugin; "
        "print(*sorted({'torch', 'coremltools', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []


def test_a_scorer_keeps_its_order(tmp_path: Path) -> None:
    made = convert(Scorer(), samples(), folder=tmp_path, precision="float32")
    assert made.package.name == "package.mlpackage"
    best = [int(np.argmax(next(iter(run_package(made.package, {"x": x}).values())))) for x in samples()]
    assert best == [int(Scorer()(x).argmax()) for x in samples()]
