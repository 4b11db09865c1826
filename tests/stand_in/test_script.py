"""Is the stand-in as slow, as old and as ill-behaved as its script says, and Core ML's caches as real?"""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.models import CompiledMLModel

from coreml_gate.engines.coreml import compile_package
from coreml_gate.stand_in import compiled as compiled_module
from coreml_gate.stand_in.compiled import CACHE, HOME_VARIABLE
from coreml_gate.stand_in.script import Script, read_script

X = {"x": np.float32([1, 2])}


@pytest.fixture
def package(scale: Callable[..., Any], tmp_path: Path) -> str:
    scale(2.0, skip_model_load=True).save(str(tmp_path / "net.mlpackage"))
    return str(tmp_path / "net.mlpackage")


def compiled(package: str, tmp_path: Path, name: str = "a") -> str:
    return str(ct.utils.compile_model(package, str(tmp_path / f"{name}.mlmodelc")))


def test_a_package_is_compiled_to_a_name_that_no_other_run_had(package: str, tmp_path: Path) -> None:
    """Core ML's caches may go by the path: under an old one an entry of an earlier run could be meant."""
    first, second = (compile_package(Path(package), tmp_path / "compiled") for _ in range(2))
    assert first != second
    assert sorted(path.suffix for path in (tmp_path / "compiled").iterdir()) == [".mlmodelc"] * 2


def caches(home: Path) -> list[Path]:
    return sorted((home / "Library" / "Caches").rglob(f"{CACHE}/*/*"))


def test_a_load_is_cold_once_for_each_path_and_hardware(
    package: str, tmp_path: Path, script: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    script(cold_load_s=0.25)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(seconds)

    monkeypatch.setattr(compiled_module, "time", SimpleNamespace(sleep=sleep))
    first, second = compiled(package, tmp_path, "a"), compiled(package, tmp_path, "b")

    def seconds(path: str, units: ct.ComputeUnit) -> float:
        return (
            float(CompiledMLModel(path, compute_units=units)._proxy.get_load_duration_in_nano_seconds()) / 1e9
        )

    cold = [seconds(first, ct.ComputeUnit.ALL), seconds(second, ct.ComputeUnit.ALL)]
    cold.append(seconds(first, ct.ComputeUnit.CPU_ONLY))
    assert min(cold) >= 0.25
    seconds(first, ct.ComputeUnit.ALL)
    seconds(second, ct.ComputeUnit.ALL)
    assert slept == [0.25] * 3


def test_caches_grow_in_the_home_that_the_process_is_given_and_never_shrink(
    package: str, tmp_path: Path, script: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    users, own = tmp_path / "users", tmp_path / "own"
    script(home=str(users))
    path = compiled(package, tmp_path)
    CompiledMLModel(path, compute_units=ct.ComputeUnit.CPU_ONLY)
    CompiledMLModel(path, compute_units=ct.ComputeUnit.ALL)
    assert len(caches(users)) == 2
    assert all((each / "bundle").stat().st_size > 0 for each in caches(users))
    monkeypatch.setenv(HOME_VARIABLE, str(own))
    CompiledMLModel(compiled(package, tmp_path, "other"))
    assert (len(caches(users)), len(caches(own))) == (2, 1)


def test_a_compiled_model_stays_until_its_caller_removes_it(package: str, tmp_path: Path) -> None:
    path = compiled(package, tmp_path)
    model = CompiledMLModel(path)
    del model
    assert Path(path).is_dir()
    loaded = ct.models.MLModel(package)
    own = Path(loaded.get_compiled_model_path())
    assert own.is_dir()
    del loaded
    assert not own.exists()


@pytest.mark.parametrize("phase", ["compile", "load", "predict"])
def test_an_error_comes_in_its_phase_in_core_mls_form(
    package: str, tmp_path: Path, script: Callable[..., None], phase: str
) -> None:
    script(misbehaviours=[{"phase": phase, "what": "error", "description": "Error in declaring network."}])
    with pytest.raises(
        RuntimeError, match=r'^\{\n    NSLocalizedDescription = "Error in declaring network\.";\n\}$'
    ):
        CompiledMLModel(compiled(package, tmp_path)).predict(dict(X))


def test_only_the_hardware_of_the_script_misbehaves(
    package: str, tmp_path: Path, script: Callable[..., None]
) -> None:
    script(misbehaviours=[{"phase": "load", "what": "error", "units": "ALL"}])
    path = compiled(package, tmp_path)
    with pytest.raises(RuntimeError):
        CompiledMLModel(path)
    CompiledMLModel(path, compute_units=ct.ComputeUnit.CPU_ONLY).predict(dict(X))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda path: CompiledMLModel(path).make_state(),
            "Stateful model is only available on macOS >= 15.0",
        ),
        (
            lambda path: CompiledMLModel(path, function_name="main"),
            "The 'functionName' property can only be set on macOS >= 15.0",
        ),
    ],
)
def test_macos_14_has_no_states_and_no_functions(
    package: str, tmp_path: Path, script: Callable[..., None], call: Any, words: str
) -> None:
    script(macos=(14, 8))
    with pytest.raises(RuntimeError, match=f"^{words.replace('.', '[.]')}$"):
        call(compiled(package, tmp_path))


def test_without_a_script_nothing_misbehaves() -> None:
    assert read_script({}) == Script()


def test_the_clock_of_a_prediction_starts_behind_the_border(package: str, tmp_path: Path) -> None:
    """What Python does with inputs and outputs is not in Core ML's own time."""
    model = CompiledMLModel(compiled(package, tmp_path))
    assert model._proxy.get_last_predict_duration_in_nano_seconds() is None
    start = time.perf_counter_ns()
    model.predict(dict(X))
    wall = time.perf_counter_ns() - start
    assert 0 < model._proxy.get_last_predict_duration_in_nano_seconds() < wall


def test_what_goes_wrong_can_begin_later_and_befall_one_model(
    package: str, tmp_path: Path, script: Callable[..., None]
) -> None:
    script(
        misbehaviours=[
            {"phase": "predict", "what": "error", "description": "gone", "path": "head", "after": 2}
        ]
    )
    head, base = (CompiledMLModel(compiled(package, tmp_path, name)) for name in ("head", "base"))
    for _ in range(3):
        base.predict(dict(X))
    for _ in range(2):
        head.predict(dict(X))
    with pytest.raises(RuntimeError, match="gone"):
        head.predict(dict(X))


def test_what_is_slow_is_so_by_its_own_clock(
    package: str, tmp_path: Path, script: Callable[..., None]
) -> None:
    script(misbehaviours=[{"phase": "predict", "what": "slow", "seconds": 0.05}])
    model = CompiledMLModel(compiled(package, tmp_path))
    model.predict(dict(X))
    assert model._proxy.get_last_predict_duration_in_nano_seconds() >= 50_000_000


@pytest.mark.parametrize(
    ("what", "first", "second"),
    [
        ("nan", [np.nan, np.nan], [np.nan, np.nan]),
        ("zero", [0.0, 0.0], [0.0, 0.0]),
        ("unsteady", [3.0, 5.0], [4.0, 6.0]),
        ("float64", [2.0, 4.0], [2.0, 4.0]),
    ],
)
def test_outputs_are_as_wrong_as_the_script_says(
    package: str,
    tmp_path: Path,
    script: Callable[..., None],
    what: str,
    first: list[float],
    second: list[float],
) -> None:
    script(wrong_outputs=[{"what": what, "units": "ALL"}])
    path = compiled(package, tmp_path)
    model = CompiledMLModel(path)
    outputs = [next(iter(model.predict(dict(X)).values())) for _ in range(2)]
    np.testing.assert_array_equal(outputs, [first, second])
    assert {each.dtype for each in outputs} == {np.dtype("float64" if what == "float64" else "float32")}
    sound = CompiledMLModel(path, compute_units=ct.ComputeUnit.CPU_ONLY).predict(dict(X))
    np.testing.assert_array_equal(next(iter(sound.values())), [2.0, 4.0])


def test_outputs_can_be_missing(package: str, tmp_path: Path, script: Callable[..., None]) -> None:
    script(wrong_outputs=[{"what": "missing"}])
    assert CompiledMLModel(compiled(package, tmp_path)).predict(dict(X)) == {}
