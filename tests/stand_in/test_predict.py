"""Does ``MLModel.predict`` of coremltools give what the model says, in every form that it takes and gives?"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder
from coremltools.converters.mil.mil import types
from coremltools.models import CompiledMLModel, MLModel
from PIL import Image

from coreml_gate.mil.package import read_package

Build = Callable[..., Any]
X = np.array([1.0, -2.0], np.float32)


def test_arrays_come_back_as_core_ml_gives_them(convert: Build) -> None:
    model = convert(
        lambda x: (Builder.exp(x=x, name="exp"), Builder.reduce_sum(x=x, name="sum")),
        (2,),
        outputs=[coremltools.TensorType("exp", dtype=np.float16), coremltools.TensorType("sum")],
    )
    outputs = model.predict({"x": [1.0, -2.0]})
    assert outputs["exp"].dtype == np.float32
    np.testing.assert_array_equal(outputs["exp"], np.exp(X).astype(np.float16))
    assert outputs["sum"].shape == (1,)
    assert outputs["sum"] == -1


def test_several_sets_of_inputs(scale: Build) -> None:
    first, second = scale(3.0).predict([{"x": X}, {"x": -X}])
    np.testing.assert_array_equal(first["y"], [3, -6])
    np.testing.assert_array_equal(second["y"], [-3, 6])


def test_torch_tensors_are_taken(scale: Build) -> None:
    np.testing.assert_array_equal(scale(3.0).predict({"x": torch.tensor([1.0, 2.0])})["y"], [3, 6])


@pytest.mark.parametrize(
    ("layout", "mode", "given"),
    [
        ("RGB", "RGB", "RGBA"),
        ("BGR", "RGB", "RGBA"),
        ("GRAYSCALE", "L", "L"),
        ("GRAYSCALE_FLOAT16", "F", "F"),
    ],
)
def test_images_in_and_out(layout: str, mode: str, given: str) -> None:
    class Halve(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0.5

    channels = 3 if mode == "RGB" else 1
    color = getattr(coremltools.colorlayout, layout)
    shape = (1, channels, 4, 5)
    model = coremltools.convert(
        torch.jit.trace(Halve().eval(), torch.rand(shape)),
        inputs=[coremltools.ImageType("x", shape=shape, color_layout=color)],
        outputs=[coremltools.ImageType("y", color_layout=color)],
        minimum_deployment_target=coremltools.target.iOS16,
    )
    pixels = np.arange(20 * channels, dtype=np.uint8).reshape(4, 5, channels).squeeze() * 2
    image = Image.fromarray(pixels.astype(np.float32) if mode == "F" else pixels)
    output = model.predict({"x": image})["y"]
    assert (output.mode, output.size) == (given, (5, 4))
    halved = np.asarray(output)[..., :3] if mode == "RGB" else np.asarray(output)
    np.testing.assert_array_equal(halved, pixels // 2)


@pytest.mark.parametrize(
    ("layout", "mode", "bias"),
    [
        ("RGB", "RGB", [-1.0, 2.0, 3.0]),
        ("BGR", "RGB", [-1.0, 2.0, 3.0]),
        ("GRAYSCALE", "L", -1.0),
        ("GRAYSCALE_FLOAT16", "F", -1.0),
    ],
)
def test_images_are_scaled_and_shifted_per_channel(convert: Build, layout: str, mode: str, bias: Any) -> None:
    channels = 3 if mode == "RGB" else 1
    shape = (1, channels, 2, 2)
    image = coremltools.ImageType(
        "x", shape=shape, scale=0.5, bias=bias, color_layout=getattr(coremltools.colorlayout, layout)
    )
    model = convert(lambda x: Builder.identity(x=x, name="y"), shape, inputs=[image])
    pixels = np.arange(4 * channels, dtype=np.uint8).reshape(2, 2, channels)
    given = pixels.squeeze().astype(np.float32) if mode == "F" else pixels.squeeze()
    planes = pixels[..., ::-1] if layout == "BGR" else pixels
    wanted = (planes * 0.5 + np.array(bias)).transpose(2, 0, 1)[None]
    np.testing.assert_array_equal(model.predict({"x": Image.fromarray(given)})["y"], wanted)


@pytest.mark.parametrize("blue_first", [False, True])
def test_the_color_layout_reaches_the_program(convert: Build, blue_first: bool) -> None:
    layout = coremltools.colorlayout.BGR if blue_first else coremltools.colorlayout.RGB
    model = convert(
        lambda x: Builder.slice_by_size(x=x, begin=[0, 0, 0, 0], size=[1, 1, 1, 1], name="first"),
        (1, 3, 1, 1),
        inputs=[coremltools.ImageType("x", shape=(1, 3, 1, 1), color_layout=layout)],
    )
    image = Image.fromarray(np.array([[[10, 20, 30]]], np.uint8))
    assert model.predict({"x": image})["first"].item() == (30 if blue_first else 10)


@pytest.mark.parametrize("labels", [["cat", "dog", "bird"], [7, 8, 9]])
def test_classifier(convert: Build, labels: list[Any]) -> None:
    model = convert(
        lambda x: Builder.softmax(x=x, axis=-1, name="p"),
        (1, 3),
        classifier_config=coremltools.ClassifierConfig(labels),
        compute_precision=coremltools.precision.FLOAT32,
    )
    outputs = model.predict({"x": np.log(np.array([[0.25, 0.625, 0.125]], np.float32))})
    assert outputs["classLabel"] == labels[1]
    (probabilities,) = (value for name, value in outputs.items() if name != "classLabel")
    assert probabilities == pytest.approx(dict(zip(labels, [0.25, 0.625, 0.125], strict=True)), abs=1e-6)


@pytest.fixture(scope="module")
def counter() -> Any:
    """Adds its input to a state and gives the sum."""
    spec = Builder.StateTensorSpec((2,), dtype=types.fp16)

    @Builder.program(
        input_specs=[Builder.TensorSpec((2,), types.fp16), spec], opset_version=coremltools.target.iOS18
    )
    def program(x: Any, total: Any) -> Any:
        new = Builder.add(x=Builder.read_state(input=total), y=x)
        return Builder.coreml_update_state(state=total, value=new, name="y")

    return coremltools.convert(program, minimum_deployment_target=coremltools.target.iOS18)


@pytest.mark.parametrize("compiled", [False, True])
def test_states_live_from_prediction_to_prediction(counter: Any, compiled: bool) -> None:
    model = CompiledMLModel(counter.get_compiled_model_path()) if compiled else counter
    state, other = model.make_state(), model.make_state()
    model.predict({"x": X}, state)
    np.testing.assert_array_equal(model.predict({"x": X}, state)["y"], 2 * X)
    np.testing.assert_array_equal(state.read_state("total"), 2 * X)
    np.testing.assert_array_equal(other.read_state("total"), [0, 0])
    state.write_state("total", np.array([10, 10], np.float32))
    np.testing.assert_array_equal(model.predict({"x": X}, state)["y"], 10 + X)


def test_states_refuse_what_does_not_fit(counter: Any) -> None:
    state = counter.make_state()
    with pytest.raises(RuntimeError, match="no state `sum`; its states are `total`"):
        state.read_state("sum")
    with pytest.raises(RuntimeError, match=r"state `total`: its shape is \(3,\), wanted \(2,\)"):
        state.write_state("total", np.zeros(3, np.float32))
    with pytest.raises(RuntimeError, match="state `total` is missing"):
        counter.predict({"x": X})


def test_optional_inputs_take_their_default() -> None:
    class Add(torch.nn.Module):
        def forward(self, x: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return x + b

    model = coremltools.convert(
        torch.jit.trace(Add().eval(), (torch.rand(2), torch.rand(2))),
        inputs=[
            coremltools.TensorType("x", shape=(2,)),
            coremltools.TensorType("b", shape=(2,), default_value=np.full(2, 7, np.float32)),
        ],
        outputs=[coremltools.TensorType("y")],
        minimum_deployment_target=coremltools.target.iOS17,
    )
    np.testing.assert_array_equal(model.predict({"x": X})["y"], X + 7)
    np.testing.assert_array_equal(model.predict({"x": X, "b": X})["y"], X + X)


@pytest.mark.parametrize(
    ("dimension", "taken", "refused"),
    [
        (coremltools.RangeDim(2, 5), (2, 5), (1, 6)),
        (None, (3, 7), (2, 5)),
    ],
)
def test_ranges_become_symbols_and_enumerations_are_kept(dimension: Any, taken: Any, refused: Any) -> None:
    class Sums(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat((x, x.sum(1, keepdim=True)), 1)

    shape = coremltools.EnumeratedShapes([(1, 3), (1, 7)]) if dimension is None else (1, dimension)
    model = coremltools.convert(
        torch.jit.trace(Sums().eval(), torch.rand(1, 3)),
        inputs=[coremltools.TensorType("x", shape=shape)],
        outputs=[coremltools.TensorType("y")],
        minimum_deployment_target=coremltools.target.iOS16,
    )
    if dimension is not None:
        assert read_package(Path(model.package_path)).function().inputs[0].type.shape == (1, None)
    for size in taken:
        x = np.ones((1, size), np.float32)
        np.testing.assert_array_equal(model.predict({"x": x})["y"], [[1] * size + [size]])
    for size in refused:
        with pytest.raises(
            RuntimeError, match=rf"feature 'x', the provided shape \(1 .U00d7 {size}\) is not"
        ):
            model.predict({"x": np.ones((1, size), np.float32)})


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ({}, RuntimeError, "Feature x is required but not specified"),
        ({"x": np.zeros(3)}, RuntimeError, r"shape \(3\) does not match the shape \(2\) specified"),
        ({"x": [1, -2]}, RuntimeError, "^value type not convertible$"),  # int64: apple/coremltools#1498
        ({"z": X}, KeyError, "does not match any of the model input name"),
    ],
)
def test_wrong_inputs_are_refused(scale: Build, inputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        scale(1.0).predict(inputs)


def test_multifunction(scale: Build, tmp_path: Path) -> None:
    functions = coremltools.utils.MultiFunctionDescriptor()
    for factor, name in ((2, "double"), (3, "triple")):
        path = str(tmp_path / f"{name}.mlpackage")
        scale(factor).save(path)
        functions.add_function(path, "main", name)
    functions.default_function_name = "double"
    both = str(tmp_path / "both.mlpackage")
    coremltools.utils.save_multifunction(functions, both)
    np.testing.assert_array_equal(MLModel(both).predict({"x": X})["y"], 2 * X)
    np.testing.assert_array_equal(MLModel(both, function_name="triple").predict({"x": X})["y"], 3 * X)


def test_pipeline(scale: Build, convert: Build, tmp_path: Path) -> None:
    last = convert(lambda y: Builder.add(x=y, y=np.arange(2, dtype=np.float32), name="z"), (2,))
    pipeline = coremltools.utils.make_pipeline(scale(2.0), last)
    np.testing.assert_array_equal(pipeline.predict({"x": X})["z"], 2 * X + [0, 1])
    pipeline.save(str(tmp_path / "pipeline.mlpackage"))
    again = MLModel(str(tmp_path / "pipeline.mlpackage"))
    np.testing.assert_array_equal(again.predict({"x": X})["z"], 2 * X + [0, 1])


def test_compiled_model_from_an_asset_and_by_its_path(scale: Build, tmp_path: Path) -> None:
    scale(2.0).save(str(tmp_path / "double.mlpackage"))
    compiled = coremltools.utils.compile_model(
        str(tmp_path / "double.mlpackage"), str(tmp_path / "a.mlmodelc")
    )
    np.testing.assert_array_equal(CompiledMLModel(compiled).predict({"x": X})["y"], 2 * X)
    asset = coremltools.models.model.MLModelAsset.from_path(compiled)
    np.testing.assert_array_equal(CompiledMLModel.from_asset(asset).predict({"x": X})["y"], 2 * X)


def test_durations_are_told(scale: Build) -> None:
    model = scale(2.0)
    assert model.load_duration_in_nano_seconds > 0
    assert model.last_predict_duration_in_nano_seconds is None
    model.predict({"x": X})
    assert model.last_predict_duration_in_nano_seconds > 0
