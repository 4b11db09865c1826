import subprocess
import sys
from pathlib import Path

from tests.warm import forked

BEFORE = """
import sys
from coreml_gate.mil.proto import model_class
Model = model_class()
assert "coremltools" not in sys.modules and "torch" not in sys.modules, "reading must not import coremltools"
message = Model(specificationVersion=8)
import coremltools
assert coremltools.proto.Model_pb2.Model is Model, "one class per message"
from coremltools.converters.mil import Builder as mb
@mb.program(input_specs=[mb.TensorSpec(shape=(1,))])
def program(x):
    return mb.relu(x=x)
converted = coremltools.convert(program, convert_to="mlprogram", skip_model_load=True)
assert isinstance(converted.get_spec(), Model), "conversion still works"
"""
AFTER = """
import coremltools
from coreml_gate.mil.proto import model_class
assert model_class() is coremltools.proto.Model_pb2.Model
"""


def test_message_classes_are_shared_with_coremltools_when_that_comes_later() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEFORE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_message_classes_are_those_of_coremltools_when_that_was_there_before(tmp_path: Path) -> None:
    assert forked(AFTER, tmp_path) == (0, "")
