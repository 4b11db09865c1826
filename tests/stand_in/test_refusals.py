"""Is everything that only a Mac can answer refused with words that say so?"""

from collections.abc import Callable
from typing import Any

import coremltools
import numpy as np
import pytest
from coremltools.models.compute_device import MLComputeDevice
from coremltools.models.compute_plan import MLComputePlan, MLModelStructure
from coremltools.models.model import MLModel, MLModelAsset
from coremltools.proto import Model_pb2


@pytest.mark.parametrize(
    "call",
    [
        MLComputePlan.load_from_path,
        MLModelStructure.load_from_path,
        lambda _: MLModel.get_available_compute_devices(),
        lambda _: MLComputeDevice.get_all_compute_devices(),
        lambda _: MLModelAsset.from_memory(b""),
    ],
    ids=["compute plan", "structure", "available devices", "all devices", "asset in memory"],
)
def test_only_a_mac_can_answer(scale: Callable[..., Any], call: Callable[[str], object]) -> None:
    path = scale(1.0).get_compiled_model_path()
    with pytest.raises(RuntimeError, match="only Core ML on a Mac can answer"):
        call(path)


def test_a_neural_network_loads_with_a_warning_and_refuses_to_predict() -> None:
    spec = Model_pb2.Model(specificationVersion=4)
    feature = spec.description.input.add(name="x")
    feature.type.multiArrayType.shape.append(1)
    feature.type.multiArrayType.dataType = 65568
    spec.description.output.add().CopyFrom(feature)
    spec.description.output[0].name = "y"
    spec.neuralNetwork.layers.add(name="id", input=["x"], output=["y"]).activation.linear.alpha = 1
    with pytest.warns(RuntimeWarning, match="will not be able to run predict"):
        model = MLModel(spec)
    with pytest.raises(RuntimeError, match='convert_to="mlprogram"'):
        model.predict({"x": np.zeros(1, np.float32)})


def test_a_model_that_core_ml_compiled_is_refused(tmp_path: Any) -> None:
    (tmp_path / "net.mlmodelc").mkdir()
    (tmp_path / "net.mlmodelc" / "model.mil").write_text("program(1.0)")
    with pytest.raises(RuntimeError, match=r"net\.mlmodelc"):
        coremltools.models.CompiledMLModel(str(tmp_path / "net.mlmodelc"))
