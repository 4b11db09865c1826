"""The classes of coremltools' native module, as strict as the real ones.

Names, arities and types are those of coremlpython/CoreMLPython.mm in apple/coremltools; a test compares them
with a table read from the macOS wheel. Errors have the form that the native half gives them.
"""

import shutil
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coreml_gate.errors import GateError
from coreml_gate.mil.package import read_package, read_stages
from coreml_gate.runtime import Mode, Model, load_pipeline
from coreml_gate.stand_in import compute_plan, features
from coreml_gate.stand_in.binding import ANY, bound, check
from coreml_gate.stand_in.compiled import compile_to_temporary, is_compiled, note_load
from coreml_gate.stand_in.model_structure import LayerProxy, OperationProxy, structure_of
from coreml_gate.stand_in.ns_error import FAILED_PREDICTION, core_ml_error, only_from
from coreml_gate.stand_in.script import Script, read_script
from coreml_gate.untyped import CoreMlObject
from coreml_gate.wording import listed

Watch = Callable[[tuple[Model, ...]], None]
States = dict[str, NDArray[np.generic]]

_NEWEST_SPECIFICATION = 10  # iOS 26
_UNITS: Final = ("CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL")
_MACOS_15: Final = (15, 0)
_MACOS_14_4: Final = (14, 4)


class StateBuffers:
    """One set of states of a model; half precision is read as float32, as in Core ML's Python."""

    arrays: States

    def __init__(self, /) -> None:
        raise TypeError("coremltools.libcoremlpython._State: No constructor defined!")

    @bound(str)
    def read_state(self, name: str, /) -> NDArray[np.generic]:
        """A copy of the state's value."""
        array = self._find(name)
        return array.astype(np.float32) if array.dtype == np.float16 else array.copy()

    @bound(str, ANY)
    def write_state(self, name: str, value: object, /) -> None:
        """Replace the state's value by one of the same shape."""
        array, given = self._find(name), features.read_features({"value": value}).get("value")
        if not isinstance(given, np.ndarray):
            raise RuntimeError("Failed to write state, only multi-array value is supported")  # noqa: TRY004
        if given.shape != array.shape:
            raise RuntimeError(f"state `{name}`: its shape is {given.shape}, wanted {array.shape}.")
        array[...] = given

    def _find(self, name: str) -> NDArray[np.generic]:
        if name not in self.arrays:
            known = listed(self.arrays)
            raise RuntimeError(f"the model has no state `{name}`; its states are {known}.")
        return self.arrays[name]


class AssetProxy:
    """A compiled model that is not loaded; Python itself cannot make one."""

    path: str

    def __init__(self, /) -> None:
        raise TypeError("coremltools.libcoremlpython._MLModelAssetProxy: No constructor defined!")


class ModelProxy:
    """One loaded model. A package is compiled first, into a folder that is removed with the model."""

    mode: Mode = "fp16"
    watch: Watch | None = None

    def __init__(
        self,
        path: str,
        compute_units: str,
        function_name: str,
        hints: dict[str, str],
        asset: AssetProxy | None = None,
        /,
    ) -> None:
        check("__init__", (str, str, str, dict), (path, compute_units, function_name, hints), {})
        self._script = read_script()
        self._units = compute_units if compute_units in _UNITS else "ALL"
        self._predict_nanoseconds: int | None = None
        self._compiled = self._compile(path) if asset is None else Path(asset.path)
        if function_name and self._script.macos < _MACOS_15:
            raise RuntimeError("The 'functionName' property can only be set on macOS >= 15.0")
        start = time.perf_counter_ns()
        self._script.at("load", self._compiled, self._units)
        with _core_ml_errors():
            self.pipeline = load_pipeline(self._compiled, function_name or None, self.mode)
        note_load(self._compiled, self._units, self._script)
        self._load_nanoseconds = time.perf_counter_ns() - start

    def _compile(self, path: str) -> Path:
        if is_compiled(path):
            return Path(path)
        compiled = _compiled(path, self._script, 'Error compiling model: "{}".')
        weakref.finalize(self, shutil.rmtree, compiled, ignore_errors=True)
        return compiled

    @bound(dict, StateBuffers | None)
    def predict(
        self, inputs: dict[str, CoreMlObject], state: StateBuffers | None, /
    ) -> dict[str, CoreMlObject]:
        """Outputs by name, in undefined order."""
        given = features.read_features(inputs)
        if state is not None and self._script.macos < _MACOS_15:
            raise only_from("Stateful predictions using MLState", "15.0", "are only supported")
        return self._predict(given, state)

    @bound(list)
    def batchPredict(self, batch: list[CoreMlObject], /) -> list[dict[str, CoreMlObject]]:  # noqa: N802  # coremltools' name
        """Outputs by name for each set of inputs."""
        return [self._predict(features.read_features(inputs), None) for inputs in batch]

    def _predict(
        self, given: Mapping[str, CoreMlObject], state: StateBuffers | None
    ) -> dict[str, CoreMlObject]:
        if self.watch is not None:
            self.watch(self.pipeline.stages)
        start = time.perf_counter_ns()
        self._script.at("predict", self._compiled, self._units)
        features.check_features(given, self.pipeline.stages[0].interface.inputs)
        with _core_ml_errors(FAILED_PREDICTION):
            outputs = self.pipeline.predict(given, None if state is None else state.arrays)
        self._predict_nanoseconds = time.perf_counter_ns() - start
        answers = self._script.given(outputs, self._compiled, self._units)
        return {name: features.given_back(value) for name, value in reversed(answers.items())}

    @bound()
    def newState(self, /) -> StateBuffers:  # noqa: N802  # coremltools' name
        """Zeroed states."""
        if self._script.macos < _MACOS_15:
            raise only_from("Stateful model", "15.0")
        return _state(self.pipeline.make_state())

    @bound()
    def get_compiled_model_path(self, /) -> str:
        """The compiled model: the caller's, or a folder that exists as long as this object."""
        return str(self._compiled)

    @bound()
    def get_load_duration_in_nano_seconds(self, /) -> int | None:
        """How long loading took here, which says nothing about a device."""
        return self._load_nanoseconds

    @bound()
    def get_last_predict_duration_in_nano_seconds(self, /) -> int | None:
        """How long the last prediction took here, without Python around it."""
        return self._predict_nanoseconds

    @staticmethod
    @bound(static=True)
    def maximum_supported_specification_version() -> int:
        """The newest specification that our runtime reads."""
        return _NEWEST_SPECIFICATION

    @staticmethod
    @bound(bytes, static=True)
    def auto_set_specification_version(spec: bytes, /) -> bytes:
        """The specification unchanged, because only Core ML knows the oldest sufficient version."""
        return spec

    @staticmethod
    @bound(str, static=True)
    def compileModel(path: str, /) -> str:  # noqa: N802  # coremltools' name
        """The compiled model in the temporary folder, which the caller owns."""
        return str(_compiled(path, read_script()))

    @staticmethod
    @bound(str, static=True)
    def create_model_asset_from_path(path: str, /) -> CoreMlObject:
        """A model asset that a ``CompiledMLModel`` can be made from."""
        from coremltools.models.model import MLModelAsset  # noqa: PLC0415  # coremltools loads this module first

        if read_script().macos < _MACOS_15:
            raise only_from("Creating an MLModelAsset from a file path", "15.0")
        asset = AssetProxy.__new__(AssetProxy)
        asset.path = path
        return MLModelAsset(asset)

    @staticmethod
    @bound(bytes, dict, static=True)
    def create_model_asset_from_memory(_spec: bytes, _blobs: dict[str, bytes], /) -> CoreMlObject:
        """Refused, because only Core ML can read a model without a file."""
        raise core_ml_error(
            "a model asset in memory: coreml-gate's stand-in reads files only; save the package and load it "
            "by its path."
        )

    @staticmethod
    @bound(str, static=True)
    def get_model_structure(path: str, /) -> CoreMlObject:
        """The structure of a compiled model."""
        _plan_is_there("MLModelStructure")
        with _core_ml_errors():
            return structure_of(read_package(Path(path)))

    @staticmethod
    @bound(str, str, static=True)
    def get_compute_plan(path: str, units: str, /) -> CoreMlObject:
        """A made-up plan of a compiled model's default function; a package aborts, as in Core ML."""
        from coremltools.models.compute_plan import MLComputePlan  # noqa: PLC0415

        script = _plan_is_there("MLComputePlan")
        script.at("plan", Path(path), units)
        if not is_compiled(path):
            Script.model_validate({"misbehaviours": [{"phase": "plan", "what": "abort"}]}).at(
                "plan", Path(path)
            )
        proxy = compute_plan.ComputePlanProxy()
        with _core_ml_errors():
            compute_plan.make_plan(proxy, read_package(Path(path)), units, script)
        return MLComputePlan(proxy)

    @staticmethod
    @bound(static=True)
    def get_available_compute_devices() -> list[CoreMlObject]:
        """The devices of this Mac, by the script."""
        return [compute_plan.device(each) for each in read_script().devices]

    @staticmethod
    @bound(static=True)
    def get_all_compute_devices() -> list[CoreMlObject]:
        """The same, because other frameworks' devices are not known here."""
        return [compute_plan.device(each) for each in read_script().devices]


def native_module(name: str, mode: Mode, watch: Watch | None) -> ModuleType:
    """A module with the names of Core ML's native module, whose models run in ``mode``."""
    module = ModuleType(name, "coreml-gate's stand-in for Core ML.")
    settings = {"mode": mode, "watch": None if watch is None else staticmethod(watch)}
    classes = {
        "_MLModelProxy": type("_MLModelProxy", (ModelProxy,), settings),
        "_State": StateBuffers,
        "_MLModelAssetProxy": AssetProxy,
        "_MLCPUComputeDeviceProxy": compute_plan.CPUDeviceProxy,
        "_MLGPUComputeDeviceProxy": compute_plan.GPUDeviceProxy,
        "_MLNeuralEngineComputeDeviceProxy": compute_plan.NeuralEngineDeviceProxy,
        "_MLComputePlanProxy": compute_plan.ComputePlanProxy,
        "_MLModelStructureProgramOperationProxy": OperationProxy,
        "_MLModelStructureNeuralNetworkLayerProxy": LayerProxy,
    }
    vars(module).update(classes)
    return module


@contextmanager
def _core_ml_errors(description: str = "") -> Iterator[None]:
    """Errors of our runtime as Core ML's: its sentence, if there is one, then ours."""
    try:
        yield
    except GateError as error:
        text = str(error)
        raise (core_ml_error(description, text) if description else core_ml_error(text)) from error


def _compiled(path: str, script: Script, form: str = "{}") -> Path:
    """A compiled copy; ``form`` makes the message of a refusal, which Core ML raises when compiling."""
    script.at("compile", Path(path))
    if not Path(path).exists():
        raise _refusal(f"A valid manifest does not exist at path: {Path(path) / 'Manifest.json'}", form)
    try:
        read_stages(Path(path))
    except GateError as error:
        raise _refusal(str(error), form) from error
    return compile_to_temporary(Path(path))


def _refusal(reason: str, form: str) -> RuntimeError:
    return core_ml_error(reason) if form == "{}" else RuntimeError(form.format(reason))


def _plan_is_there(what: str) -> Script:
    script = read_script()
    if script.macos < _MACOS_14_4:
        raise only_from(what, "14.4")
    return script


def _state(arrays: States) -> StateBuffers:
    state = StateBuffers.__new__(StateBuffers)
    state.arrays = arrays
    return state
