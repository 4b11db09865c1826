"""The classes of coremltools' native module, with the calls that its Python uses.

The names and signatures are those of coremlpython/CoreMLPython.mm in apple/coremltools.

Errors of ours leave as ``RuntimeError``, the one type that coremltools expects from its native half.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coreml_gate.errors import GateError, PackageError
from coreml_gate.runtime import Mode, Model, load_pipeline

Watch = Callable[[tuple[Model, ...]], None]
States = dict[str, NDArray[np.generic]]

_NEWEST_SPECIFICATION = 10  # iOS 26
# Core ML's own first words when a program fails; callers match on them.
_PREDICTION_FAILED = "Unable to compute the prediction using ML Program: "


class StateProxy:
    """One set of states of a model; half precision is read as float32, as Core ML's Python gives it."""

    def __init__(self, arrays: States) -> None:
        self.arrays = arrays

    def read_state(self, name: str) -> NDArray[np.generic]:
        """A copy of the state's value."""
        array = self._find(name)
        return array.astype(np.float32) if array.dtype == np.float16 else array.copy()

    def write_state(self, name: str, value: ArrayLike) -> None:
        """Replace the state's value; the shape must be the state's own."""
        array, given = self._find(name), np.asarray(value)
        if given.shape != array.shape:
            raise RuntimeError(f"state `{name}`: its shape is {given.shape}, wanted {array.shape}.")
        array[...] = given

    def _find(self, name: str) -> NDArray[np.generic]:
        if name not in self.arrays:
            known = ", ".join(f"`{item}`" for item in self.arrays)
            raise RuntimeError(f"the model has no state `{name}`; its states are {known}.")
        return self.arrays[name]


class AssetProxy:
    """A compiled model, named by its path."""

    def __init__(self, path: str) -> None:
        self.path = path


class ModelProxy:
    """One loaded model; ``compute_units`` and ``hints`` change nothing, because there is one runtime."""

    mode: Mode = "fp16"
    watch: Watch | None = None

    def __init__(
        self,
        path: str,
        compute_units: str = "ALL",
        function_name: str = "",
        hints: Mapping[str, str] | None = None,
        asset: AssetProxy | None = None,
    ) -> None:
        self.compute_units, self.hints = compute_units, hints
        self._path = Path(path if asset is None else asset.path)
        self._compiled: tempfile.TemporaryDirectory[str] | None = None
        self._predict_nanoseconds: int | None = None
        start = time.perf_counter_ns()
        with _runtime_errors():
            self.pipeline = load_pipeline(self._path, function_name or None, self.mode)
        self._load_nanoseconds = time.perf_counter_ns() - start

    def predict(self, inputs: Mapping[str, Any], state: StateProxy | None = None) -> dict[str, Any]:
        """Outputs by name."""
        if self.watch is not None:
            self.watch(self.pipeline.stages)
        start = time.perf_counter_ns()
        with _runtime_errors(_PREDICTION_FAILED):
            outputs = self.pipeline.predict(inputs, None if state is None else state.arrays)
        self._predict_nanoseconds = time.perf_counter_ns() - start
        return outputs

    def batchPredict(self, batch: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:  # noqa: N802  # coremltools' name
        """Outputs by name for each set of inputs."""
        return [self.predict(inputs) for inputs in batch]

    def newState(self) -> StateProxy:  # noqa: N802  # coremltools' name
        """Zeroed states."""
        return StateProxy(self.pipeline.make_state())

    def get_compiled_model_path(self) -> str:
        """A copy of the package that lives as long as this object, as Core ML's compiled model does."""
        if self._compiled is None:
            self._compiled = tempfile.TemporaryDirectory(prefix="coreml-gate-")
            _copy(self._path, Path(self._compiled.name))
        return str(_compiled_path(self._path, Path(self._compiled.name)))

    def get_load_duration_in_nano_seconds(self) -> int:
        """How long reading and compiling took here; nothing about a device."""
        return self._load_nanoseconds

    def get_last_predict_duration_in_nano_seconds(self) -> int | None:
        """How long the last prediction took here; nothing about a device."""
        return self._predict_nanoseconds

    @staticmethod
    def maximum_supported_specification_version() -> int:
        """The newest specification that our runtime reads."""
        return _NEWEST_SPECIFICATION

    @staticmethod
    def auto_set_specification_version(spec: bytes) -> bytes:
        """The specification as given: only Core ML knows the oldest version that would do."""
        return spec

    @staticmethod
    def compileModel(path: str) -> str:  # noqa: N802  # coremltools' name
        """A copy of the package under the name of a compiled model; it belongs to the caller."""
        folder = Path(tempfile.mkdtemp(prefix="coreml-gate-"))
        _copy(Path(path), folder)
        return str(_compiled_path(Path(path), folder))

    @staticmethod
    def create_model_asset_from_path(path: str) -> Any:  # noqa: ANN401  # coremltools' class
        """A model asset that a ``CompiledMLModel`` can be made from."""
        from coremltools.models.model import MLModelAsset  # noqa: PLC0415  # coremltools loads this module first

        return MLModelAsset(AssetProxy(path))

    @staticmethod
    def create_model_asset_from_memory(*_: object) -> NoReturn:
        """Refused."""
        _only_on_a_mac("a model asset in memory", "save the package and load it by its path.")

    @staticmethod
    def get_model_structure(*_: object) -> NoReturn:
        """Refused."""
        _only_on_a_mac("the structure of a compiled model", "read the program: MLModel.get_spec().mlProgram.")

    @staticmethod
    def get_compute_plan(*_: object) -> NoReturn:
        """Refused."""
        _only_on_a_mac("a compute plan")

    @staticmethod
    def get_available_compute_devices() -> NoReturn:
        """Refused."""
        _only_on_a_mac("the list of available compute devices")

    @staticmethod
    def get_all_compute_devices() -> NoReturn:
        """Refused."""
        _only_on_a_mac("the list of compute devices")


class CPUDeviceProxy:
    """A class for coremltools to derive from; no device is ever given."""


class GPUDeviceProxy:
    """A class for coremltools to derive from; no device is ever given."""


class NeuralEngineDeviceProxy:
    """A class for coremltools to derive from; no device is ever given."""


class ComputePlanProxy:
    """A class for coremltools to derive from; no plan is ever given."""


def native_module(name: str, mode: Mode, watch: Watch | None) -> ModuleType:
    """A module with the names of Core ML's, whose models run in ``mode``."""
    module = ModuleType(name, "coreml-gate's stand-in for Core ML.")
    settings = {"mode": mode, "watch": None if watch is None else staticmethod(watch)}
    classes = {
        "_MLModelProxy": type("_MLModelProxy", (ModelProxy,), settings),
        "_MLStateProxy": StateProxy,
        "_MLModelAssetProxy": AssetProxy,
        "_MLCPUComputeDeviceProxy": CPUDeviceProxy,
        "_MLGPUComputeDeviceProxy": GPUDeviceProxy,
        "_MLNeuralEngineComputeDeviceProxy": NeuralEngineDeviceProxy,
        "_MLComputePlanProxy": ComputePlanProxy,
    }
    vars(module).update(classes)
    return module


@contextmanager
def _runtime_errors(prefix: str = "") -> Iterator[None]:
    try:
        yield
    except PackageError as error:
        raise RuntimeError(f"{prefix}{error}") from error
    except GateError as error:
        raise RuntimeError(str(error)) from error


def _only_on_a_mac(what: str, instead: str = "ask on a Mac.") -> NoReturn:
    raise RuntimeError(
        f"{what}: only Core ML on a Mac can answer, coreml-gate stands in for it here; {instead}"
    )


def _compiled_path(source: Path, folder: Path) -> Path:
    return folder / f"{source.stem}.mlmodelc"


def _copy(source: Path, folder: Path) -> None:
    target = _compiled_path(source, folder)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
