"""Does a child get the package as its Record describes it?"""

from pathlib import Path

import pytest

from coreml_gate.children.job import DescribedPackage
from coreml_gate.frozen import changed
from coreml_gate.record import FeatureFacts
from tests.builders import package

STATE = FeatureFacts(name="cache", kind="state", dtype="fp16", shape=(1, 4))


@pytest.mark.parametrize("function", [None, "embed"])
def test_the_function_that_was_chosen_and_the_states_reach_the_child(
    function: str | None, tmp_path: Path
) -> None:
    """Without the function Core ML loads the default one, on a Mac and on a phone."""
    facts = changed(package(), function=function, states=(STATE,) if function else ())
    described = DescribedPackage.of(facts, tmp_path)
    assert (described.function, described.stateful) == (function, function is not None)
    assert described.path == (tmp_path / facts.path).resolve()
