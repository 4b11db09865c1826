"""Do the ML Programs of a pipeline run one after another, in the mode asked for?"""

from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder

from coreml_gate.errors import InputError, PackageError
from coreml_gate.runtime import load, load_pipeline

X = np.array([1.0, 12.0], np.float32)


def _model(body: Any, inputs: int = 1) -> Any:
    specs = [Builder.TensorSpec((2,)) for _ in range(inputs)]
    return ct.convert(Builder.program(input_specs=specs)(body), minimum_deployment_target=ct.target.iOS16)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``log(exp(x)) + x``, whose first stage overflows in half precision; the last reads both."""
    first = _model(lambda x: Builder.exp(x=x, name="grown"))
    last = _model(lambda grown, x: Builder.add(x=Builder.log(x=grown), y=x, name="y"), inputs=2)
    path = tmp_path_factory.mktemp("pipeline") / "pipeline.mlpackage"
    ct.utils.make_pipeline(first, last).save(str(path))
    return path


def test_a_stage_reads_the_callers_inputs_and_earlier_outputs(pipeline: Path) -> None:
    found = load_pipeline(pipeline, mode="fp32").predict({"x": X})
    np.testing.assert_allclose(found["y"], 2 * X, rtol=1e-6)
    np.testing.assert_array_equal(load_pipeline(pipeline).predict({"x": X})["y"], [2, np.inf])


def test_what_a_stage_lacks_is_named(pipeline: Path) -> None:
    with pytest.raises(InputError, match="input `x` is missing"):
        load_pipeline(pipeline).predict({})


def test_one_model_alone_is_a_pipeline_of_one_and_no_pipeline_is_one_model(
    pipeline: Path, tmp_path: Path
) -> None:
    _model(lambda x: Builder.mul(x=x, y=2.0, name="y")).save(str(tmp_path / "one.mlpackage"))
    one = load_pipeline(tmp_path / "one.mlpackage")
    assert (len(one.stages), one.make_state()) == (1, {})
    np.testing.assert_array_equal(one.predict({"x": X})["y"], 2 * X)
    with pytest.raises(PackageError, match=r"holds a `pipeline`.*\nHint: .*load_pipeline"):
        load(pipeline)
