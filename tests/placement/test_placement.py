"""What can be said of the Neural Engine without one: only what documents rule out, each with its source."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it

from coreml_gate.mil.package import Package, read_package
from coreml_gate.placement import RULES, predict_placement

SHAPE = (1, 4, 8, 8)
WEIGHT = np.ones((4, 4, 1, 1), np.float32)


def saved(path: Path, body: Callable[[Any], Any], precision: Any = ct.precision.FLOAT16) -> Package:
    program = mb.program(input_specs=[mb.TensorSpec(SHAPE)], opset_version=ct.target.iOS17)(body)
    ct.convert(
        program,
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=precision,
        skip_model_load=True,
    ).save(str(path))
    return read_package(path)


def convolution(x: Any) -> Any:
    return mb.relu(x=mb.conv(x=x, weight=WEIGHT))


def dilated(x: Any) -> Any:
    return mb.relu(x=mb.conv(x=mb.relu(x=x), weight=np.ones((4, 4, 3, 3), np.float32), dilations=[2, 2]))


def gathered(x: Any) -> Any:
    return mb.relu(x=mb.gather(x=mb.relu(x=x), indices=np.int32([0, 2]), axis=1))


def accumulated(x: Any) -> Any:
    return mb.relu(x=mb.cumsum(x=mb.relu(x=x), axis=1))


def one_row(x: Any) -> Any:
    x = mb.relu(x=mb.reshape(x=x, shape=[1, 256]))
    return mb.relu(x=mb.linear(x=x, weight=np.ones((8, 256), np.float32)))


@pytest.mark.parametrize(
    ("body", "type_", "rule", "segments"),
    [
        (dilated, "conv", "dilation", 3),
        (gathered, "gather", "gather", 3),
        (accumulated, "cumsum", "cumsum", 3),
        (one_row, "linear", "row", 3),
    ],
)
def test_an_operation_that_documents_rule_out_is_named_with_its_source(
    tmp_path: Path, body: Any, type_: str, rule: str, segments: int
) -> None:
    placement = predict_placement(saved(tmp_path / "a.mlpackage", body), "ALL")
    assert placement.origin == "prediction"
    assert [(each.operation_type, each.reason) for each in placement.off_engine] == [
        (type_, str(RULES[rule]))
    ]
    assert RULES[rule].source in placement.off_engine[0].reason
    assert placement.segments == segments


def test_what_nothing_rules_out_stays_unknown(tmp_path: Path) -> None:
    placement = predict_placement(saved(tmp_path / "a.mlpackage", convolution), "CPU_AND_NE")
    assert placement.off_engine == ()
    assert set(placement.devices) == {"unknown"}
    assert placement.segments == 1


def test_float32_stays_off_it(tmp_path: Path) -> None:
    package = saved(tmp_path / "a.mlpackage", convolution, ct.precision.FLOAT32)
    placement = predict_placement(package, "ALL")
    assert [each.operation_type for each in placement.off_engine] == ["conv", "relu"]
    assert {each.reason for each in placement.off_engine} == {str(RULES["type"])}


def test_nothing_is_predicted_for_a_model_that_may_not_use_it(tmp_path: Path) -> None:
    placement = predict_placement(saved(tmp_path / "a.mlpackage", convolution), "CPU_AND_GPU")
    assert (placement.devices, placement.off_engine) == ({}, ())


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (
            197,
            "grow to 1.1 times their size, `",
        ),  # 14 x 14 patches of a vision transformer and one for the class
        (33, "grow to 1.5 times their size, `"),
        (192, ""),
    ],
)
def test_a_token_count_that_is_no_multiple_of_32_is_padded(tmp_path: Path, tokens: int, words: str) -> None:
    def scores(x: Any) -> Any:
        return mb.softmax(x=mb.matmul(x=x, y=x, transpose_y=True), axis=-1)

    program = mb.program(input_specs=[mb.TensorSpec((1, 12, tokens, 64))], opset_version=ct.target.iOS17)(
        scores
    )
    path = tmp_path / "a.mlpackage"
    ct.convert(program, minimum_deployment_target=ct.target.iOS17, skip_model_load=True).save(str(path))
    note = predict_placement(read_package(path), "ALL").note
    assert words in note
    assert bool(note) == bool(words)
    assert not words or f"(1, 12, {tokens}, {tokens}) most" in note


@pytest.mark.attack("packages")
@pytest.mark.parametrize("constant", [np.array("same"), np.array([], np.int32), np.array([True])])
@pytest.mark.parametrize(("type_", "rule"), [("max_pool", "kernel"), ("conv", "dilation")])
def test_a_constant_that_holds_no_numbers_rules_nothing_out(type_: str, rule: str, constant: Any) -> None:
    """A damaged package had a text for the kernel of a pooling: a traceback."""
    values = SimpleNamespace(constant=lambda *_: constant, shape=lambda *_: None)
    assert not RULES[rule].holds(values, SimpleNamespace(type=type_))  # type: ignore[arg-type]
