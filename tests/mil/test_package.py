import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder

from coreml_gate.errors import PackageError
from coreml_gate.mil.decode import MOST_OPERATIONS
from coreml_gate.mil.ir import Feature, TensorType
from coreml_gate.mil.package import read_package
from coreml_gate.mil.proto import model_class

Broken = Callable[[str, Callable[[bytes], bytes | None]], Path]
MODEL, WEIGHTS, MANIFEST = "model.mlmodel", "weight.bin", "Manifest.json"


def test_reads_the_program_as_coremltools_wrote_it(dense: Path) -> None:
    function = read_package(dense).function()
    operations = {operation.name: operation for operation in function.block.operations}
    linear = next(item for item in operations.values() if item.type == "linear")
    weight = operations[str(linear.inputs["weight"][0])].attributes["val"]
    assert (function.name, function.opset, function.block.outputs) == ("main", 17, ("answer",))
    assert function.inputs[0].type == function.block.inputs[0].type == TensorType("fp32", (1, 32))
    np.testing.assert_array_equal(
        weight.array, (np.arange(64 * 32, dtype=np.float32).reshape(64, 32) / 2048).astype(np.float16)
    )


def test_weights_are_views_of_the_mapped_file(dense: Path) -> None:
    package = read_package(dense)
    weight = next(
        item.attributes["val"]
        for item in package.function().block.operations
        if item.type == "const" and item.attributes["val"].type == TensorType("fp16", (64, 32))
    )
    base: Any = weight.array
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)


def test_says_what_it_weighs_and_where_it_loads(dense: Path) -> None:
    package = read_package(dense)
    files = [item for item in dense.rglob("*") if item.is_file()]
    assert package.weight_bytes == next(item for item in files if item.name == WEIGHTS).stat().st_size
    assert package.program_bytes == next(item for item in files if item.name == MODEL).stat().st_size
    assert package.total_bytes == sum(item.stat().st_size for item in files)
    assert (package.deployment_target, package.specification_version, package.opset) == ("iOS17", 8, 17)
    assert package.interface.inputs == (Feature("x", "multiarray", "fp32", (1, 32)),)


def test_fingerprint_ignores_the_date_and_the_manifest_and_nothing_else(dense: Path, broken: Broken) -> None:
    def another_day(data: bytes) -> bytes:
        spec = model_class().FromString(data)
        spec.description.metadata.userDefined["com.github.apple.coremltools.conversion_date"] = "1970-01-01"
        return bytes(spec.SerializeToString())

    def other_weight(data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1])

    same = read_package(broken(MODEL, another_day))
    assert same.fingerprint() == read_package(dense).fingerprint()
    different = read_package(broken(WEIGHTS, other_weight))
    assert different.fingerprint() != read_package(dense).fingerprint()


def _spec(change: Callable[[Any], None]) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        spec = model_class().FromString(data)
        change(spec)
        return bytes(spec.SerializeToString())

    return edit


def _operation(spec: Any, kind: str, holds: str = "") -> Any:
    block = spec.mlProgram.functions["main"].block_specializations["CoreML7"]
    return next(item for item in block.operations if item.type == kind and holds in str(item))


def _set_offset(spec: Any) -> None:
    _operation(spec, "const", "blobFileValue").attributes["val"].blobFileValue.offset = 10**12


def _set_escape(spec: Any) -> None:
    _operation(spec, "const", "blobFileValue").attributes[
        "val"
    ].blobFileValue.fileName = "@model_path/../../../etc/x"


def _set_huge(spec: Any) -> None:
    value = _operation(spec, "const", "blobFileValue").attributes["val"]
    value.type.tensorType.dimensions[0].constant.size = 2**20


def _set_absurd(spec: Any) -> None:
    value = _operation(spec, "relu").outputs[0]
    value.type.tensorType.dimensions[0].constant.size = 2**62


def _set_absurd_interface(spec: Any) -> None:
    spec.description.input[0].type.multiArrayType.shape[:] = [2**30, 2**30]


def _set_negative_interface(spec: Any) -> None:
    spec.description.input[0].type.multiArrayType.shape[0] = -1


def _set_other_type(spec: Any) -> None:
    _operation(spec, "const", "blobFileValue").attributes["val"].type.tensorType.dataType = 21


def _set_unknown_type(spec: Any) -> None:
    _operation(spec, "relu").outputs[0].type.tensorType.dataType = 13


def _set_immediate(spec: Any) -> None:
    tensor = spec.mlProgram.functions["main"].block_specializations["CoreML7"].operations.add(type="const")
    tensor.outputs.add(name="claims").type.tensorType.dataType = 23
    value = tensor.attributes["val"]
    value.type.tensorType.dataType = 23
    value.type.tensorType.dimensions.add().constant.size = 2**30
    value.immediateValue.tensor.ints.values.append(1)


def _set_opset(spec: Any) -> None:
    spec.mlProgram.functions["main"].opset = "CoreML99"


def _set_neural_network(spec: Any) -> None:
    spec.neuralNetwork.layers.add(name="layer")


def _set_no_type(spec: Any) -> None:
    spec.description.input[0].type.Clear()


def _set_missing_operand(spec: Any) -> None:
    _operation(spec, "relu").inputs["x"].arguments[0].name = "nowhere"


def _set_missing_output(spec: Any) -> None:
    spec.mlProgram.functions["main"].block_specializations["CoreML7"].outputs[0] = "nowhere"


def _set_empty_constant(spec: Any) -> None:
    del _operation(spec, "const").attributes["val"]


def _set_texts(spec: Any) -> None:
    value = _operation(spec, "const", "blobFileValue").attributes["val"]
    del value.type.tensorType.dimensions[:]
    value.immediateValue.tensor.strings.values.append("a")


def _set_many(spec: Any) -> None:
    block = spec.mlProgram.functions["main"].block_specializations["CoreML7"]
    for _ in range(MOST_OPERATIONS):
        block.operations.add(type="relu")


def _entry(path: object) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        manifest = json.loads(data)
        manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = path
        return json.dumps(manifest).encode()

    return edit


def _metadata(place: int, content: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[: 64 + place] + content + data[64 + place + len(content) :]


@pytest.mark.attack("packages")
@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (MANIFEST, lambda _: None, r"broken\.mlpackage: Manifest\.json is missing"),
        (MANIFEST, lambda _: b"{}", r"no item of the manifest is the root model"),
        (MANIFEST, lambda data: b"[" * 100_000, r"the root model \(RecursionError: maximum recursion depth"),
        (MANIFEST, _entry("com\0apple"), r"the model file `com\x00apple` is missing, or outside"),
        (MANIFEST, _entry(["a"]), r"the path of the root model is a list, no text"),
        (MANIFEST, _entry("a" * 5000), r"the model file `a{80}` is missing"),
        (MODEL, _spec(_set_missing_operand), r"`answer_cast_fp16` \(relu\) reads `nowhere`, which n"),
        (MODEL, _spec(_set_missing_output), r"the output `nowhere` is not the result of an operation"),
        (MODEL, _spec(_set_empty_constant), r"the constant `\w+` has no value"),
        (MODEL, _spec(_set_texts), r"\(const\): a constant of fp16 is stored as `strings`"),
        (MODEL, _spec(_set_many), r"more than 250,000 operations, constants included"),
        (MODEL, lambda _: None, r"the model file `com\.apple\.CoreML/model\.mlmodel` is missing"),
        (MODEL, lambda data: data[:-7], r"\d+ bytes that are not a Core ML specification"),
        (MODEL, lambda _: b"version https://git-lfs.github.com/spec/v1", r"42 bytes that are not a Core ML"),
        (MODEL, _spec(_set_neural_network), r'holds a `neuralNetwork`.*\nHint: .*convert_to="mlprogram"'),
        (MODEL, _spec(_set_opset), r"function `main` uses the opset `CoreML99`; known are CoreML5"),
        (MODEL, _spec(_set_offset), r"\(const\): offset 1000000000000 lies outside of `@model_path/weights/"),
        (MODEL, _spec(_set_escape), r"`@model_path/\.\./\.\./\.\./etc/x` lies outside of the pack"),
        (MODEL, _spec(_set_huge), r"has 4096 bytes, but \d+ elements of fp16 take \d+"),
        (MODEL, _spec(_set_absurd), r"\(relu\): a value of fp16\[4611686018427387904, 64\] takes more"),
        (MODEL, _spec(_set_absurd_interface), r"the interface gives `x` the shape \(1073741824, 1073"),
        (MODEL, _spec(_set_negative_interface), r"the interface gives `x` the shape \(-1, 32\), which"),
        (MODEL, _spec(_set_other_type), r"is fp16, but the program declares int8"),
        (MODEL, _spec(_set_unknown_type), r"`answer_cast_fp16` \(relu\): element type number 13 is not"),
        (MODEL, _spec(_set_immediate), r"\(const\): a constant holds 1 elements of int32, but its shape"),
        (MODEL, _spec(_set_no_type), r"the interface gives `x` no type"),
        (WEIGHTS, lambda _: None, r"the weight file `@model_path/weights/weight\.bin` is missing"),
        (WEIGHTS, lambda data: data[:40], r"has 40 bytes, but its header alone takes 64"),
        (WEIGHTS, lambda data: data[:4] + b"\x09" + data[5:], r"is of version 9; this release reads"),
        (WEIGHTS, lambda data: data[:200], r"claims bytes 128 to 4224, but the file has 200"),
        (WEIGHTS, _metadata(0, b"\0\0\0\0"), r"0x00000000 at offset 64, where a value must begin with 0xde"),
        (WEIGHTS, _metadata(4, struct.pack("<I", 77)), r"is type number 77, but the program declares fp16"),
        (WEIGHTS, _metadata(8, struct.pack("<Q", 2**63)), r"claims bytes 128 to 9223372036854775936"),
    ],
)  # fmt: skip
def test_a_damaged_package_is_named_with_the_place_and_the_number(
    name: str, change: Any, message: str, broken: Broken
) -> None:
    with pytest.raises(PackageError, match=message) as caught:
        read_package(broken(name, change))
    assert caught.value.hint


def test_a_manifest_that_points_out_of_the_package_is_refused(broken: Broken) -> None:
    def escape(data: bytes) -> bytes:
        manifest = json.loads(data)
        manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = "../../outside.mlmodel"
        return json.dumps(manifest).encode()

    with pytest.raises(PackageError, match=r"`\.\./\.\./outside\.mlmodel` is missing"):
        read_package(broken(MANIFEST, escape))


@pytest.mark.attack("packages")
@pytest.mark.parametrize("target", ["model.mlmodel", "/dev/zero", "/etc/passwd", "."])
def test_a_link_that_leads_out_of_the_package_or_nowhere_is_refused(target: str, broken: Broken) -> None:
    package = broken(MODEL, lambda _: None)
    (package / "Data" / "com.apple.CoreML" / MODEL).symlink_to(target)

    with pytest.raises(PackageError, match=r"the model file .* is missing, or outside of the package"):
        read_package(package)


@pytest.mark.attack("packages")
@pytest.mark.parametrize("target", ["weight.bin", "/dev/zero", "/etc/passwd", "."])
def test_weights_behind_a_link_that_leads_out_of_the_package_are_refused(target: str, broken: Broken) -> None:
    package = broken(WEIGHTS, lambda data: data)
    weights = package / "Data" / "com.apple.CoreML" / "weights" / WEIGHTS
    weights.unlink()
    weights.symlink_to(target)

    with pytest.raises(PackageError, match=r"the weight file .* (lies outside of the package|is missing)"):
        read_package(package)


@pytest.mark.parametrize(("name", "message"), [("none", "does not exist"), ("file", "is a file, not a")])
def test_a_path_that_is_no_folder(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(PackageError, match=message):
        read_package(tmp_path / name)


@pytest.mark.filterwarnings("ignore:Output, '.*', of the source model, has been renamed:UserWarning")
def test_interface_ranges_enumerations_and_defaults(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv1d(2, 2, 1)).eval()
    traced = torch.jit.trace(module, torch.rand(1, 2, 8))

    def save(shape: Any, **options: Any) -> Feature:
        inputs = [ct.TensorType(name="x", shape=shape, **options)]
        model = ct.convert(traced, inputs=inputs, minimum_deployment_target=ct.target.iOS16)
        model.save(str(tmp_path / "flexible.mlpackage"))
        return read_package(tmp_path / "flexible.mlpackage").interface.inputs[0]

    ranged = save((1, 2, ct.RangeDim(4, 16, default=8)))
    assert (ranged.shape, ranged.ranges) == ((1, 2, 8), ((1, 1), (2, 2), (4, 16)))
    assert ranged.takes((1, 2, 16))
    assert not ranged.takes((1, 2, 17))
    assert ranged.wanted() == "(1, 2, 4 to 16)"
    listed = save(ct.EnumeratedShapes([(1, 2, 8), (1, 2, 12)]))
    assert set(listed.shapes) == {(1, 2, 8), (1, 2, 12)}
    assert not listed.takes((1, 2, 9))
    given = save((1, 2, 8), default_value=np.full((1, 2, 8), 3, np.float32))
    assert (given.optional, given.default) == (True, 3)


def test_functions_share_a_package_and_are_named_when_missing(tmp_path: Path, dense: Path) -> None:
    description = ct.utils.MultiFunctionDescriptor()
    for name in ("first", "second"):
        description.add_function(str(dense), "main", name)
    description.default_function_name = "second"
    ct.utils.save_multifunction(description, str(tmp_path / "both.mlpackage"))
    package = read_package(tmp_path / "both.mlpackage")
    assert (package.default_function, package.function().name) == ("second", "second")
    assert set(package.program.functions) == set(package.interfaces) == {"first", "second"}
    with pytest.raises(
        PackageError, match=r"no function `third`\.\nHint: the functions are `first`, `second`"
    ):
        package.function("third")


def test_states_are_part_of_the_interface(tmp_path: Path) -> None:
    @Builder.program(
        input_specs=[
            Builder.TensorSpec((1, 2)),
            Builder.StateTensorSpec((1, 2), dtype=ct.converters.mil.mil.types.fp16),
        ],
        opset_version=ct.target.iOS18,
    )
    def program(x: Any, memory: Any) -> Any:
        kept = Builder.read_state(input=memory)
        total = Builder.add(x=Builder.cast(x=x, dtype="fp16"), y=kept)
        Builder.coreml_update_state(state=memory, value=total)
        return Builder.identity(x=total, name="total")

    model = ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS18)
    model.save(str(tmp_path / "state.mlpackage"))
    package = read_package(tmp_path / "state.mlpackage")
    assert package.interface.states == (Feature("memory", "state", "fp16", (1, 2)),)
