"""Does one call suffice, in either order, and can it be undone? Each order in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreml_gate import stand_in
from coreml_gate.errors import UsageError
from coreml_gate.stand_in.native import native_module
from tests.warm import forked

_PROGRAM = """
import json, logging, sys
logging.basicConfig(stream=sys.stderr)
{before}
from coreml_gate import stand_in
said = stand_in.install()
import coremltools as ct
from coremltools.converters.mil import Builder
program = Builder.program(input_specs=[Builder.TensorSpec((1,))])(lambda x: Builder.mul(x=x, y=0.1, name="y"))
model = ct.convert(program, minimum_deployment_target=ct.target.iOS16)
told = dict(said=said, installed=stand_in.is_installed(), y=model.predict(dict(x=[3.0]))["y"].item())
stand_in.uninstall()
proxies = (ct.models.model._MLModelProxy, ct.models._compiled_model._MLModelProxy)
told.update(left=[stand_in.is_installed(), ct.utils._is_macos(), "libcoremlpython" in vars(ct), *proxies])
print(json.dumps(told))
"""


def _fresh(program: str, _: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.returncode, done.stderr + done.stdout


@pytest.mark.parametrize(
    ("run", "before"),
    [(_fresh, ""), (forked, "import coremltools, coremltools.models.ml_program.experimental")],
    ids=["before", "after"],
)
def test_before_and_after_coremltools(run: Callable[..., Any], before: str, tmp_path: Path) -> None:
    _, log = run(_PROGRAM.format(before=before), tmp_path)
    told = json.loads(log.splitlines()[-1])
    assert told["said"] is told["installed"] is True
    assert told["y"] == pytest.approx(0.29980469)  # 3 times 0.1 in half precision
    assert told["left"] == [False, False, False, None, None]
    assert "predictions of coremltools come from the MIL runtime (fp16), not from Core ML" in log


def test_wider_mode_is_chosen_by_name(scale: Any) -> None:
    stand_in.install("fp32", force=True)
    try:
        answer = scale(0.1).predict({"x": [3.0, 1.5]})
    finally:
        stand_in.install(force=True)
    assert answer["y"] == pytest.approx([0.3, 0.15], abs=1e-4)


def test_real_core_ml_is_never_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    native = sys.modules["coremltools.libcoremlpython"]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert stand_in.install() is False
    assert "this is a Mac" in caplog.text
    assert sys.modules["coremltools.libcoremlpython"] is native


def test_a_test_on_a_mac_may_force_it_and_core_ml_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A native half stands in coremltools when the stand-in comes, as on a Mac, and again when it goes."""
    stand_in.uninstall()
    core_ml = native_module("coremltools.libcoremlpython", "fp32", None)
    model = sys.modules["coremltools.models.model"]
    try:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "platform", "darwin")
            patch.setitem(sys.modules, "coremltools.libcoremlpython", core_ml)
            patch.setattr(model, "_MLModelProxy", core_ml._MLModelProxy)
            assert stand_in.install(force=True)
            assert model._MLModelProxy is not core_ml._MLModelProxy  # type: ignore[attr-defined]
            stand_in.uninstall()
            assert model._MLModelProxy is core_ml._MLModelProxy  # type: ignore[attr-defined]
            assert sys.modules["coremltools.libcoremlpython"] is core_ml
    finally:
        vars(sys.modules["coremltools"]).pop("libcoremlpython", None)
        stand_in.install(force=True)


def test_an_unknown_mode_is_refused_before_anything_changes() -> None:
    with pytest.raises(UsageError, match="no mode `fp8`"):
        stand_in.install("fp8")  # type: ignore[arg-type]
    assert stand_in.is_installed()


def test_another_native_module_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.uninstall()
    try:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "coremltools.libcoremlpython", sys)
            with pytest.raises(UsageError, match="already loaded"):
                stand_in.install()
    finally:
        stand_in.install(force=True)


def test_watch_sees_the_models_that_answer(scale: Any) -> None:
    seen: list[Any] = []
    stand_in.install(watch=seen.append, force=True)
    try:
        scale(2.0).predict({"x": [1.0, 2.0]})
    finally:
        stand_in.install(force=True)
    assert [[model.mode for model in models] for models in seen] == [["fp16"]]
