"""Whole packages: converted in code, saved, loaded and run."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder
from coremltools.converters.mil.mil import types
from numpy.typing import NDArray

from coreml_gate.errors import InputError, PackageError, UnsupportedOperationsError
from coreml_gate.mil.package import read_package
from coreml_gate.runtime import load

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* of the source model, has been renamed:UserWarning",
    "ignore::torch.jit.TracerWarning",
)


Saved = tuple[Path, Path, NDArray[np.float32], NDArray[np.float32]]


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.head = torch.nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.nn.functional.silu(self.norm(self.conv(x))).mean((2, 3)))


def save(path: Path, module: torch.nn.Module, example: torch.Tensor, **options: Any) -> Path:
    options.setdefault("inputs", [ct.TensorType(name="x", shape=example.shape)])
    options.setdefault("minimum_deployment_target", ct.target.iOS17)
    with torch.no_grad():
        traced = torch.jit.trace(module.eval(), example, check_trace=False)
    ct.convert(traced, **options).save(str(path))
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    torch.manual_seed(0)
    module, x = Small(), torch.rand(1, 3, 16, 16)
    folder = tmp_path_factory.mktemp("small")
    half = save(folder / "half.mlpackage", module, x)
    full = save(folder / "full.mlpackage", module, x, compute_precision=ct.precision.FLOAT32)
    with torch.no_grad():
        return half, full, x.numpy(), module(x).numpy()


def only(outputs: Any) -> Any:
    (value,) = outputs.values()
    return value


def weights_held() -> int:
    """Elements of all tensors that the process holds."""
    return sum(each.numel() for each in gc.get_objects() if issubclass(type(each), torch.Tensor))


def test_float32_equals_torch_and_half_is_near(small: Saved) -> None:
    half, full, x, wanted = small
    np.testing.assert_allclose(only(load(full, mode="fp32").predict({"x": x})), wanted, rtol=1e-4, atol=1e-6)
    found = only(load(half).predict({"x": x}))
    assert found.dtype == np.float32
    assert 0 < np.abs(found - wanted).max() < 2e-3
    np.testing.assert_array_equal(found, found.astype(np.float16))


def test_fp32_mode_undoes_the_rounding_of_activations_but_not_of_weights(small: Saved) -> None:
    half, _, x, wanted = small
    model = load(half, mode="fp32")
    found = only(model.predict({"x": x}))
    assert not np.array_equal(found, found.astype(np.float16))
    assert 1e-6 < np.abs(found - wanted).max() < 2e-3


def test_float32_programs_stay_float32_in_fp16_mode(small: Saved) -> None:
    _, full, x, _ = small
    half, wide = (only(load(full, mode=mode).predict({"x": x})) for mode in ("fp16", "fp32"))
    np.testing.assert_array_equal(half, wide)


def test_the_same_input_gives_the_same_bits_and_inputs_are_left_alone(small: Saved) -> None:
    half, _, x, _ = small
    model, before = load(half), x.copy()
    np.testing.assert_array_equal(only(model.predict({"x": x})), only(model.predict({"x": x})))
    np.testing.assert_array_equal(x, before)


def test_an_input_that_runs_backwards_over_one_element_is_taken(small: Saved) -> None:
    """numpy calls such an array contiguous, and torch takes no stride below 0."""
    half, _, x, _ = small
    model = load(half)
    assert x[::-1].flags.c_contiguous
    np.testing.assert_array_equal(only(model.predict({"x": x[::-1]})), only(model.predict({"x": x})))


def test_a_released_model_holds_no_weights_and_gives_the_same_bits_again(small: Saved) -> None:
    half, _, x, _ = small
    gc.collect()
    before = weights_held()
    model = load(half)
    found = only(model.predict({"x": x}))
    assert weights_held() > before
    gc.disable()
    try:
        model.release()
        assert weights_held() == before
    finally:
        gc.enable()
    np.testing.assert_array_equal(only(model.predict({"x": x})), found)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"input `x` is missing.*\nHint: give an array of the shape \(1, 3, 16, 16\)"),
        ({"y": 1}, r"input `y`: the package has no such input.*\nHint: its inputs are `x`"),
        ({"x": np.zeros((1, 3, 16, 9))}, r"`x`: its shape is \(1, 3, 16, 9\), wanted \(1, 3, 16, 16\)"),
        ({"x": np.array(["a"])}, r"input `x`: ndarray of <U1 holds no numbers"),
    ],
)
def test_inputs_that_do_not_fit_are_named(inputs: dict[str, Any], message: str, small: Saved) -> None:
    with pytest.raises(InputError, match=message):
        load(small[0]).predict(inputs)


def test_an_observer_sees_every_operation_with_its_inputs_by_name(small: Saved) -> None:
    half, _, x, _ = small
    seen: list[tuple[str, dict[str, Any], tuple[Any, ...]]] = []
    model = load(half)
    watched = model.predict(
        {"x": x}, observe=lambda op, inputs, outputs: seen.append((op.type, dict(inputs), outputs))
    )
    np.testing.assert_array_equal(only(watched), only(model.predict({"x": x})))
    kinds = [kind for kind, _, _ in seen]
    assert kinds.count("conv") == 1
    assert "const" not in kinds
    conv = seen[kinds.index("conv")]
    assert conv[1]["x"].shape == (1, 3, 16, 16)
    assert conv[2][0].dtype is torch.float16


def test_peak_is_that_of_the_packages_own_types_in_every_mode(small: Saved) -> None:
    half, full, x, _ = small
    peaks = [
        load(path, mode=mode).peak({"x": x}).bytes
        for path, mode in ((half, "fp16"), (half, "fp32"), (full, "fp16"))
    ]
    assert peaks[0] == peaks[1] < peaks[2]


def edited(package: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    """A copy of the package whose specification ``change`` has altered."""
    read = read_package(package)
    spec = type(read.spec).FromString(read.spec.SerializeToString())
    change(spec)
    weights = str(read.weights.folder / "weights")
    ct.utils.save_spec(spec, str(folder / "edited.mlpackage"), weights_dir=weights)
    return folder / "edited.mlpackage"


def operations(spec: Any) -> Any:
    return spec.mlProgram.functions["main"].block_specializations["CoreML7"].operations


def test_unknown_operations_are_all_named_at_load(small: Saved, tmp_path: Path) -> None:
    def rename(spec: Any) -> None:
        for operation in operations(spec):
            operation.type = {"conv": "warp", "linear": "blur"}.get(operation.type, operation.type)

    with pytest.raises(UnsupportedOperationsError, match=r"does not support .*: `blur`, `warp`") as caught:
        load(edited(small[0], tmp_path, rename))
    assert caught.value.operations == ("blur", "warp")


def test_a_declared_shape_that_is_not_met_names_the_operation(small: Saved, tmp_path: Path) -> None:
    def widen(spec: Any) -> None:
        (conv,) = (item for item in operations(spec) if item.type == "conv")
        conv.outputs[0].type.tensorType.dimensions[1].constant.size = 9

    message = r"\(conv\): gives the shape \(1, 8, 8, 8\), but .* fp16\[1, 9, 8, 8\]"
    with pytest.raises(PackageError, match=message):
        load(edited(small[0], tmp_path, widen)).predict({"x": small[2]})


def _drop_input(spec: Any) -> None:
    del next(item for item in operations(spec) if item.type == "conv").inputs["weight"]


def _drop_value(spec: Any) -> None:
    next(item for item in operations(spec) if item.type == "const").attributes.pop("val")


def _drop_operation(spec: Any) -> None:
    del operations(spec)[next(n for n, item in enumerate(operations(spec)) if item.type == "conv")]


def _read_itself(spec: Any) -> None:
    conv = next(item for item in operations(spec) if item.type == "conv")
    conv.inputs["x"].arguments[0].name = conv.outputs[0].name


def _name_twice(spec: Any) -> None:
    operations(spec)[-1].outputs[0].name = operations(spec)[-2].outputs[0].name


def _disagree(spec: Any) -> None:
    spec.description.input[0].type.multiArrayType.shape[3] = 17


def _rename_output(spec: Any) -> None:
    spec.description.output[0].name = "other"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop_input, r"operation `.*` \(conv\): the input `weight` is missing"),
        (_drop_value, r"the constant `.*` has no value"),
        (_drop_operation, r"operation `.*` \(\w+\) reads `.*`, which nothing before it gives"),
        (_read_itself, r"operation `.*` \(conv\) reads `.*`, which nothing before it gives"),
        (_name_twice, r"two values of one block are named `.*`"),
        (_disagree, r"disagree on the shape of `x` \(\(1, 3, 16, 17\) and fp16\[1, 3, 16, 16\]\)"),
        (_rename_output, r"function `main`: the interface and the program disagree on output `other`"),
    ],
)
def test_a_program_that_does_not_hold_together_is_refused_at_load(
    change: Any, message: str, small: Saved, tmp_path: Path
) -> None:
    with pytest.raises(PackageError, match=message):
        load(edited(small[0], tmp_path, change))


def test_flexible_shapes_run_at_each_size(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 3, padding=1), torch.nn.ReLU())
    inputs = [ct.TensorType(name="x", shape=(1, 2, ct.RangeDim(4, 16, default=8)))]
    path = save(tmp_path / "range.mlpackage", module, torch.rand(1, 2, 8), inputs=inputs)
    model = load(path, mode="fp32")
    for length in (4, 16, 9):
        x = torch.rand(1, 2, length)
        with torch.no_grad():
            np.testing.assert_allclose(only(model.predict({"x": x})), module(x), atol=2e-3)
    with pytest.raises(InputError, match=r"its shape is \(1, 2, 17\), wanted \(1, 2, 4 to 16\)"):
        model.predict({"x": np.zeros((1, 2, 17))})
    assert model.peak({"x": np.zeros((1, 2, 16))}).bytes > model.peak({"x": np.zeros((1, 2, 4))}).bytes


def test_images_enter_as_pixels_and_colours_in_their_order(tmp_path: Path) -> None:
    class Scale(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    example = torch.rand(1, 3, 4, 6)
    inputs = [ct.ImageType(name="x", shape=example.shape, color_layout=ct.colorlayout.BGR)]
    model = load(save(tmp_path / "image.mlpackage", Scale(), example, inputs=inputs))
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    found = only(model.predict({"x": image}))
    np.testing.assert_array_equal(found[0], 2.0 * image[..., ::-1].transpose(2, 0, 1))
    with pytest.raises(InputError, match=r"the image is \(6, 4\) \(height, width\), wanted \(4, 6\)"):
        model.predict({"x": image.transpose(1, 0, 2)})


def test_a_classifier_gives_its_label_and_every_probability(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Softmax(-1))
    path = save(
        tmp_path / "labels.mlpackage",
        module,
        torch.rand(1, 3),
        classifier_config=ct.ClassifierConfig(["cat", "dog"]),
    )
    found = load(path).predict({"x": np.array([[1, 2, 3]])})
    probabilities = found["classLabel_probs"]
    assert set(probabilities) == {"cat", "dog"}
    assert found["classLabel"] == max(probabilities, key=probabilities.__getitem__)


def test_states_are_updated_in_place_and_read_before_they_are_written(tmp_path: Path) -> None:
    @Builder.program(
        input_specs=[
            Builder.TensorSpec((1, 2), dtype=types.fp16),
            Builder.StateTensorSpec((1, 2), dtype=types.fp16),
        ],
        opset_version=ct.target.iOS18,
    )
    def program(x: Any, memory: Any) -> Any:
        before = Builder.read_state(input=memory)
        after = Builder.coreml_update_state(state=memory, value=Builder.add(x=x, y=before))
        return Builder.add(x=after, y=before, name="both")

    model = ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS18)
    model.save(str(tmp_path / "state.mlpackage"))
    loaded = load(tmp_path / "state.mlpackage")
    state = loaded.make_state()
    assert state["memory"].dtype == np.float16
    x = np.array([[1, 2]], np.float16)
    assert [only(loaded.predict({"x": x}, state)).tolist() for _ in range(2)] == [[[1, 2]], [[3, 6]]]
    assert state["memory"].tolist() == [[2, 4]]
    assert load(tmp_path / "state.mlpackage", mode="fp32").make_state()["memory"].dtype == np.float32
    engine = load(tmp_path / "state.mlpackage", mode="neural-engine")
    broken = {"memory": np.array([[1, np.nan]], np.float16)}
    assert only(engine.predict({"x": np.array([[np.nan, 2]], np.float16)}, broken)).tolist() == [[np.inf] * 2]
    assert broken["memory"].tolist() == [[np.inf] * 2]
    with pytest.raises(InputError, match=r"state `memory` is missing"):
        loaded.predict({"x": x})
    with pytest.raises(InputError, match=r"state `memory`: its shape is \(3,\), wanted \(1, 2\)"):
        loaded.predict({"x": x}, {"memory": np.zeros(3, np.float16)})


def test_functions_of_one_package_are_chosen_by_name(tmp_path: Path) -> None:
    def scaled(factor: float) -> str:
        @Builder.program(input_specs=[Builder.TensorSpec((2,))], opset_version=ct.target.iOS18)
        def program(x: Any) -> Any:
            return Builder.mul(x=x, y=factor, name="y")

        path = str(tmp_path / f"{factor}.mlpackage")
        ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS18).save(path)
        return path

    both = ct.utils.MultiFunctionDescriptor()
    both.add_function(scaled(2.0), "main", "double")
    both.add_function(scaled(3.0), "main", "triple")
    both.default_function_name = "triple"
    ct.utils.save_multifunction(both, str(tmp_path / "both.mlpackage"))
    x = {"x": np.ones(2, np.float32)}
    assert only(load(tmp_path / "both.mlpackage").predict(x)).tolist() == [3, 3]
    assert only(load(tmp_path / "both.mlpackage", "double").predict(x)).tolist() == [2, 2]


def test_branches_and_loops_run_their_blocks_with_what_they_capture(tmp_path: Path) -> None:
    @Builder.program(
        input_specs=[Builder.TensorSpec((1,)), Builder.TensorSpec((1,))], opset_version=ct.target.iOS17
    )
    def program(x: Any, step: Any) -> Any:
        def more(value: Any) -> Any:
            return Builder.less(x=Builder.squeeze(x=value), y=10.0)

        def advance(value: Any) -> Any:
            return Builder.add(x=value, y=step)

        end = Builder.while_loop(_cond=more, _body=advance, loop_vars=(x,))
        large = Builder.greater(x=Builder.squeeze(x=end), y=11.0)
        return Builder.cond(
            pred=large, _true_fn=lambda: Builder.mul(x=end, y=-1.0), _false_fn=lambda: Builder.identity(x=end)
        )

    path = tmp_path / "flow.mlpackage"
    ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS17).save(str(path))
    model = load(path)
    found = {step: float(only(model.predict({"x": [1.0], "step": [step]}))[0]) for step in (3.0, 4.0)}
    assert found == {3.0: 10.0, 4.0: -13.0}
    seen: list[str] = []
    model.predict({"x": [1.0], "step": [3.0]}, observe=lambda operation, *_: seen.append(operation.type))
    assert seen.count("less") == 4


def test_a_traced_gru_is_a_loop_over_lists(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, x = torch.nn.GRU(4, 3, batch_first=True), torch.rand(1, 6, 4)

    class Last(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = module

        def forward(self, value: torch.Tensor) -> torch.Tensor:
            return self.gru(value)[0]

    path = save(tmp_path / "gru.mlpackage", Last(), x, compute_precision=ct.precision.FLOAT32)
    assert "while_loop" in {operation.type for operation in read_package(path).function().block.walk()}
    with torch.no_grad():
        np.testing.assert_allclose(only(load(path).predict({"x": x})), module(x)[0], rtol=1e-4, atol=1e-6)


def test_compressed_weights_are_expanded_as_coremltools_does(small: Saved, tmp_path: Path) -> None:
    import coremltools.optimize.coreml as cto  # noqa: PLC0415  # slow to import, wanted here only

    model = ct.models.MLModel(str(small[1]), skip_model_load=True)
    config = cto.OptimizationConfig(
        global_config=cto.OpPalettizerConfig(mode="uniform", nbits=4, weight_threshold=0)
    )
    palettized = cto.palettize_weights(model, config)
    palettized.save(str(tmp_path / "palette.mlpackage"))
    cto.decompress_weights(palettized).save(str(tmp_path / "plain.mlpackage"))
    found, wanted = (
        load(tmp_path / f"{name}.mlpackage").predict({"x": small[2]}) for name in ("palette", "plain")
    )
    assert "constexpr_lut_to_dense" in {
        operation.type for operation in read_package(tmp_path / "palette.mlpackage").function().block.walk()
    }
    np.testing.assert_allclose(only(found), only(wanted), rtol=1e-5, atol=1e-6)


def test_constants_that_do_not_fit_each_other_name_their_operation(small: Saved, tmp_path: Path) -> None:
    import coremltools.optimize.coreml as cto  # noqa: PLC0415  # slow to import, wanted here only

    model = ct.models.MLModel(str(small[1]), skip_model_load=True)
    config = cto.OptimizationConfig(
        global_config=cto.OpLinearQuantizerConfig(mode="linear", weight_threshold=0)
    )
    cto.linear_quantize_weights(model, config).save(str(tmp_path / "quantized.mlpackage"))
    path = tmp_path / "quantized.mlpackage"
    name = next(
        each.name for each in read_package(path).function().block.walk() if each.type.startswith("constexpr_")
    )

    def shift_axis(spec: Any) -> None:
        operation = next(item for item in operations(spec) if item.type.startswith("constexpr_"))
        operation.attributes["axis"].immediateValue.tensor.ints.values[0] = 1

    message = rf"operation `{name}` \(constexpr_affine_dequantize\): its constants do not fit \(RuntimeError"
    with pytest.raises(PackageError, match=message) as caught:
        load(edited(path, tmp_path, shift_axis))
    assert caught.value.hint == "convert the model again."
