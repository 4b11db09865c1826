"""Is everything refused that Core ML or its Python binding refuses, in their words, and nothing else?"""

from collections.abc import Callable
from typing import Any

import coremltools
import numpy as np
import pytest
from coremltools.models import CompiledMLModel
from coremltools.models.model import MLModel, MLModelAsset
from coremltools.proto import Model_pb2
from PIL import Image

from coreml_gate.stand_in import native
from coreml_gate.stand_in.features import given_back

NOT_CONVERTIBLE = r"^value type not convertible$"
X = np.array([1.0, -2.0], np.float32)


@pytest.fixture(scope="module")
def compiled(scale: Callable[..., Any]) -> CompiledMLModel:
    """Without the conversions that ``MLModel.predict`` does before the border."""
    model = scale(2.0)
    compiled = CompiledMLModel(model.get_compiled_model_path())
    compiled.keep = model  # its compiled folder goes with it
    return compiled


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_arrays_of_three_types_are_taken(compiled: CompiledMLModel, dtype: Any) -> None:
    np.testing.assert_array_equal(compiled.predict({"x": X.astype(dtype)})["y"], 2 * X)


def test_half_precision_is_widened_before_the_border(compiled: CompiledMLModel) -> None:
    np.testing.assert_array_equal(compiled.predict({"x": X.astype(np.float16)})["y"], 2 * X)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.uint32, np.bool_, np.complex64, ">f4"])
def test_arrays_of_any_other_type_are_refused(
    compiled: CompiledMLModel, dtype: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RuntimeError, match=NOT_CONVERTIBLE):
        compiled.predict({"x": np.ones(2, dtype)})
    assert capsys.readouterr().out.startswith("Error: value type not convertible:")


def read_only() -> Any:
    array = X.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "value", [read_only(), np.float32(1), np.array(1.0, np.float32), None, {1, 2}], ids=repr
)
def test_what_core_ml_cannot_share_is_refused(compiled: CompiledMLModel, value: Any) -> None:
    with pytest.raises(RuntimeError, match=NOT_CONVERTIBLE):
        compiled.predict({"x": value})


@pytest.mark.parametrize("value", [1, 2.5, np.int64(3), np.float64(2), "text", {"a": 1.0}], ids=repr)
def test_a_number_or_a_text_is_a_feature_and_no_array(compiled: CompiledMLModel, value: Any) -> None:
    with pytest.raises(RuntimeError, match="MultiArrayConstraint only allows MultiArrays"):
        compiled.predict({"x": value})


@pytest.mark.parametrize("value", [[1.0, 2.0], (1.0, 2.0)])
def test_a_list_never_arrives(compiled: CompiledMLModel, value: Any) -> None:
    with pytest.raises(RuntimeError, match="Feature x is required but not specified"):
        compiled.predict({"x": value})


def test_an_image_mode_that_has_no_pixel_format_is_refused(compiled: CompiledMLModel) -> None:
    with pytest.raises(RuntimeError, match=r"Unsupported image type P\. Supported types are: RGB, RGBA, L\."):
        compiled.predict({"x": Image.new("P", (2, 2))})


def test_an_error_is_the_text_of_its_user_info(compiled: CompiledMLModel) -> None:
    with pytest.raises(RuntimeError) as caught:
        compiled.predict({"x": np.zeros((1, 3), np.float32)})
    first, description, underlying, last = str(caught.value).split("\n")
    assert (first, last) == ("{", "}")
    assert description == (
        r"    NSLocalizedDescription = \"For input feature 'x', the provided shape (1 \U00d7 3) is not "
        r"compatible with the model's feature description.\";"
    ).replace(r"\"", '"')
    assert underlying == (
        r'    NSUnderlyingError = "Error Domain=com.apple.CoreML Code=1 \"MultiArray shape (1 x 3) does not '
        r'match the shape (2) specified in the model description\"";'
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda proxy: proxy.predict({"x": X}),
        lambda proxy: proxy.predict({"x": X}, {}),
        lambda proxy: proxy.predict(inputs={"x": X}, state=None),
        lambda proxy: proxy.predict([("x", X)], None),
        lambda proxy: proxy.batchPredict(({"x": X},)),
        lambda proxy: proxy.newState(None),
        lambda proxy: proxy.compileModel(),
        lambda proxy: type(proxy)("a.mlmodelc", "ALL", "", None),
        lambda proxy: type(proxy)("a.mlmodelc", "ALL", None, {}),
        lambda proxy: type(proxy)("a.mlmodelc"),
    ],
)
def test_calls_have_the_native_arity_and_types(compiled: CompiledMLModel, call: Any) -> None:
    with pytest.raises(TypeError):
        call(compiled._proxy)


@pytest.mark.parametrize("made", [native.StateBuffers, native.AssetProxy])
def test_python_cannot_make_what_only_core_ml_gives(made: Any) -> None:
    with pytest.raises(TypeError, match="No constructor defined!"):
        made()


def test_a_model_asset_in_memory_is_refused_with_the_way_out() -> None:
    with pytest.raises(RuntimeError, match="reads files only; save the package and load it by its path"):
        MLModelAsset.from_memory(b"")


def test_a_missing_file_is_refused_as_core_ml_does() -> None:
    with pytest.raises(RuntimeError, match=r"^Error compiling model: \"A valid manifest does not exist"):
        native.ModelProxy("nothing.mlpackage", "ALL", "", {})
    with pytest.raises(RuntimeError, match=r"NSLocalizedDescription = .A valid manifest does not exist"):
        coremltools.utils.compile_model("nothing.mlpackage")


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
    with pytest.raises(RuntimeError, match='convert_to="mlprogram'):
        model.predict({"x": np.zeros(1, np.float32)})


def test_a_model_that_core_ml_compiled_is_refused(tmp_path: Any) -> None:
    (tmp_path / "net.mlmodelc").mkdir()
    (tmp_path / "net.mlmodelc" / "model.mil").write_text("program(1.0)")
    with pytest.raises(RuntimeError, match=r"net\.mlmodelc"):
        CompiledMLModel(str(tmp_path / "net.mlmodelc"))


def test_an_output_of_int8_is_the_null_object_that_no_dictionary_takes() -> None:
    """coremltools 9.0: the module that makes arrays was built without the switch for macOS 26."""
    with pytest.raises(SystemError, match="null argument to internal routine"):
        given_back(np.int8([1, 2]))
    assert given_back("label") == "label"
