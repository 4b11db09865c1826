"""``check`` judges a model that a program holds as a run judges one that is named."""

import gc
import random
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from coreml_gate import CheckResult, check, convert
from coreml_gate.api import measuring
from coreml_gate.api.options import ModelKeywords
from coreml_gate.config import ModelConfig
from coreml_gate.errors import ConfigError, SourceError
from coreml_gate.pytest_plugin import assert_core_ml_parity
from coreml_gate.record import read_record
from coreml_gate.verdict import Finding, Status
from tests.api.models import Overflowing, Scorer, samples
from tests.house import ROOT
from tests.warm import ENVIRONMENT, WARM

GIVEN_OTHERWISE = frozenset(
    {"name", "source", "samples", "evaluate", "package", "convert", "build", "variant", "watch", "litert"}
)
"""Keys of ``[[model]]`` that are arguments of their own, or mean nothing without a repository."""


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory) -> CheckResult:
    folder = tmp_path_factory.mktemp("passing")
    return check(Scorer(), samples(), folder=folder, output=["scores"], evaluate=_first)


def _first(predict: Any) -> dict[str, float]:
    return {"first": float(predict(samples()[0])["scores"][0, 0])}


def _of(result: CheckResult, check_name: str) -> list[Finding]:
    return [finding for finding in result.findings if finding.check == check_name]


def test_a_sound_model_passes_with_the_figures_of_a_run(passing: CheckResult) -> None:
    assert passing.status is Status.PASS
    assert passing.verdict.exit_code == 0
    (parity,) = _of(passing, "parity")
    assert (parity.status, parity.subject) == (Status.PASS, "scores")
    (precision,) = _of(passing, "precision")
    assert precision.value is not None
    assert 60 < precision.value < 90
    expected = Scorer()(samples()[0])[0, 0].item()
    metrics = {metric.side: metric.value for metric in passing.record.models[0].metrics}
    assert metrics == {side: pytest.approx(expected, abs=1e-3) for side in ("source", "fp32", "fp16")}


def test_the_packages_and_the_record_lie_in_the_folder(passing: CheckResult) -> None:
    assert passing.package == passing.folder / "models/Scorer/package.mlpackage"
    assert passing.package.is_dir()
    assert read_record(passing.folder / "record.json") == passing.record


def test_an_overflow_fails_and_is_named() -> None:
    result = check(Overflowing(), samples(1000.0))
    assert result.status is Status.FAIL
    assert [finding.status for finding in _of(result, "precision")] == [Status.FAIL]
    assert any("65,504" in finding.message for finding in _of(result, "hazards"))


def test_the_model_and_the_generators_are_left_as_they_were() -> None:
    model = Scorer().train()
    _seed()
    expected = _drawn()
    _seed()
    check(model, samples())
    assert _drawn() == expected
    assert model.training
    assert model.layer.weight.requires_grad


def _seed() -> None:
    torch.manual_seed(5)
    np.random.seed(6)  # noqa: NPY002 - the generator that user code draws from
    random.seed(7)


def _drawn() -> tuple[float, float, float]:
    return torch.rand(1).item(), np.random.rand(), random.random()  # noqa: NPY002 - as above


def test_an_earlier_result_is_a_baseline(passing: CheckResult) -> None:
    result = check(Scorer(), samples(), name="renamed", output=["other"], baseline=passing)
    (finding,) = (each for each in _of(result, "interface") if each.status is Status.FAIL)
    assert "output `scores` is now named `other`" in finding.message


def test_a_stored_record_is_a_baseline(passing: CheckResult) -> None:
    result = check(Scorer(), samples(), output=["scores"], baseline=passing.folder)
    assert result.verdict.baseline.present
    assert {finding.base for finding in _of(result, "size")} == {
        finding.value for finding in _of(passing, "size")
    }


def test_a_package_made_elsewhere_is_judged_against_the_model(passing: CheckResult) -> None:
    wrong = Scorer()
    with torch.no_grad():
        wrong.layer.bias += 1.0 * torch.arange(3)
    assert passing.package is not None
    same = check(Scorer(), samples(), package=passing.package, output=["scores"])
    other = check(wrong, samples(), package=passing.package, output=["scores"])
    assert same.status is not Status.FAIL
    assert [finding.status for finding in _of(other, "parity")] == [Status.FAIL]


def test_what_cannot_run_is_a_result_and_not_an_exception() -> None:
    result = check(Scorer(), [torch.zeros(1, 5)])
    assert (result.status, result.verdict.exit_code) == (Status.FAIL, SourceError.exit_code)
    assert result.package is None
    assert "mat1 and mat2" in result.findings[0].message


class Interrupted(Scorer):
    def forward(self, x: Tensor) -> Tensor:
        raise KeyboardInterrupt


def _interrupted(*_: object) -> dict[str, float]:
    raise KeyboardInterrupt


def test_an_interruption_of_the_model_reaches_every_caller(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        check(Interrupted(), samples())
    with pytest.raises(KeyboardInterrupt):
        assert_core_ml_parity(Interrupted(), samples())
    with pytest.raises(KeyboardInterrupt):
        convert(Interrupted(), samples(), folder=tmp_path)


def test_an_interruption_of_the_metric_reaches_the_caller() -> None:
    with pytest.raises(KeyboardInterrupt):
        check(Scorer(), samples(), evaluate=_interrupted, adversarial=False)


def test_a_callable_and_a_package_are_named_as_in_a_configuration(
    passing: CheckResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.py").write_text("from tests.api.models import Scorer as build\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    built = check("net.py:build", samples(), output=["scores"])
    assert (built.model.name, built.status) == ("build", Status.PASS)
    assert passing.package is not None
    alone = check(passing.package, [{"x": samples()[0]}])
    assert alone.model.name == "package"
    assert [finding.status for finding in _of(alone, "parity")] == [Status.SKIPPED]


def test_the_stand_in_rehearses_core_ml(passing: CheckResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its children are forked from the server that all tests share."""
    monkeypatch.setattr(measuring, "WarmChildren", lambda _: nullcontext(WARM))
    for name in ("OMP_NUM_THREADS", "PYTHONPATH"):
        monkeypatch.setenv(name, ENVIRONMENT[name])
    result = check(Scorer(), samples()[:1], output=["scores"], core_ml="stand-in")
    assert result.verdict.engine == "mil+stand-in"
    assert Status.PASS in {finding.status for finding in _of(result, "coreml-parity")}


def test_one_sample_instead_of_several_is_refused() -> None:
    result = check(Scorer(), torch.zeros(1, 4))
    assert result.findings[0].message == "`samples` is a `Tensor`, not an iterable of samples."


def test_a_model_that_cannot_be_copied_is_named() -> None:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lines = (line for line in ())

    with pytest.raises(SourceError, match="cannot be copied: TypeError: cannot pickle 'generator'"):
        check(Holder(), samples())


def test_unknown_options_are_all_named_with_what_was_meant() -> None:
    options: Any = {"limits": {"parity": {"max_eror": 1}}, "presicion": "float16"}
    with pytest.raises(ConfigError) as raised:
        check(Scorer(), samples(), **options)
    assert raised.value.message == "`check()` has 2 problems:"
    assert raised.value.lines == (
        "`model[Scorer].limits.parity.max_eror` is an unknown key; perhaps you meant `max-error`.",
        "`model[Scorer].presicion` is an unknown key; perhaps you meant `precision`.",
    )


def test_limits_are_written_as_in_toml_or_as_in_python(passing: CheckResult) -> None:
    for key in ("warn-psnr", "warn_psnr"):
        result = check(Scorer(), samples(), limits={"precision": {key: 120}})
        assert [finding.status for finding in _of(result, "precision")] == [Status.WARN]


def test_every_key_of_a_model_is_an_option_or_an_argument() -> None:
    keys = set(ModelConfig.model_fields)
    assert keys == set(ModelKeywords.__annotations__) | GIVEN_OTHERWISE


def test_a_result_prints_and_shows(passing: CheckResult) -> None:
    assert str(passing).startswith("coreml-gate: `Scorer` may merge")
    assert repr(passing) == f"CheckResult(Scorer: pass, {len(passing.findings)} findings)"
    shown = passing._repr_html_()
    assert shown.startswith(
        '<iframe title="coreml-gate" sandbox="allow-scripts" srcdoc="&lt;!doctype html&gt;'
    )
    assert shown.count('"') == 8


def test_a_temporary_folder_goes_with_its_result() -> None:
    result = check(Scorer(), samples())
    folder = result.folder
    assert folder.is_dir()
    del result
    gc.collect()
    assert not folder.exists()
