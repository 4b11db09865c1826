"""States of an alignment, which are never merged."""

from pathlib import Path

import pytest

from coreml_gate.config import ModelConfig
from coreml_gate.conversion.mapper import Mapper
from coreml_gate.diagnose.alignment import Alignment, align
from coreml_gate.diagnose.torch_steps import run_graph
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import load_samples
from coreml_gate.engines.source import load_source
from coreml_gate.mil.package import read_package
from coreml_gate.record import FirstWrong
from tests.diagnose.looking import HEADER, module

TWICE = module("h.abs().cos() + h.abs().sin()")


TURNED = module("h.transpose(0, 1).transpose(1, 2).cos().transpose(1, 2).transpose(0, 1)")
"""The optimisation passes take the transposes away, so that cos runs on the elements in another order."""
WRONG_AND_TURNED = module(
    'F.gelu(h.transpose(0, 1).transpose(1, 2), approximate="tanh").transpose(1, 2).transpose(0, 1)'
)


def aligned(
    root: Path, text: str = TWICE, *, marked: bool = True, passes: tuple[str, ...] | None = ()
) -> Alignment:
    """The package with these optimisation passes beside its source, with or without the converter's marks."""
    (root / "net.py").write_text(HEADER + text, encoding="utf-8")
    config = ModelConfig(name="net", source="net.py:Net", samples="net.py:samples", conversion="export")
    source = load_source(config.source, root)
    samples = load_samples(config, source, root, 1)
    mapped = Mapper(source, samples, config, root / "out", "export").mapped(passes)
    engine = load_mil_engine(read_package(mapped.package), "fp32", None, config)
    run = run_graph(mapped.graph, list(samples.samples[0].values()), root)
    return align(engine.model, engine.inputs(samples.samples[0]), mapped.keys if marked else {}, run, 1e-4)


def states(alignment: Alignment, kind: str) -> set[str]:
    return {pair.state for pair in alignment.pairs.values() if pair.operation.type == kind}


def test_by_their_marks_two_equal_results_both_match(tmp_path: Path) -> None:
    alignment = aligned(tmp_path)
    assert states(alignment, "abs") == {"matched"}
    assert "ambiguous" not in alignment.counts
    assert alignment.failing_outputs == ()


def test_without_marks_equal_results_are_ambiguous_and_others_match_by_value(tmp_path: Path) -> None:
    alignment = aligned(tmp_path, marked=False)
    assert states(alignment, "abs") == {"ambiguous"}
    assert states(alignment, "cos") == {"matched"}
    assert alignment.counts["ambiguous"] == 2


def test_the_same_elements_under_another_shape_neither_match_nor_differ(tmp_path: Path) -> None:
    alignment = aligned(tmp_path, TURNED, passes=None)
    assert states(alignment, "cos") == {"shape changed"}
    assert alignment.counts == {"matched": 3, "shape changed": 1}
    assert FirstWrong(counts=alignment.counts).compared_share == pytest.approx(3 / 4)
    assert alignment.failing_outputs == ()


def test_other_elements_under_another_shape_differ(tmp_path: Path) -> None:
    """The converter drops ``approximate``, and the passes the transposes."""
    alignment = aligned(tmp_path, WRONG_AND_TURNED, passes=None)
    assert states(alignment, "gelu") == {"differs"}
    assert "shape changed" not in alignment.counts
