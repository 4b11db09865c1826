"""Both commands from the configuration to the table, through real children and the real converter."""

import json
from io import StringIO
from pathlib import Path

import pytest

from coreml_gate.cli import main
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from tests.warm import ENVIRONMENT, WARM

NET = """
import torch


def build():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))


def samples():
    torch.manual_seed(1)
    return [torch.randn(1, 64) for _ in range(2)]


def evaluate(predict):
    expected = build().eval()
    with torch.no_grad():
        return {"error": max(float(abs(predict(x)["scores"] - expected(x).numpy()).max()) for x in samples())}
"""
MODEL = """
[[model]]
name = "net"
source = "net.py:build"
samples = "net.py:samples"
evaluate = "net.py:evaluate"
output = ["scores"]
limits = { evaluate = { error = { most = 0.05 } } }
"""
VARIANTS = """
[[model.variant]]
name = "palette-8"
compress = { method = "palettize", weight-threshold = 0 }

[[model.variant]]
name = "pruned"
compress = { method = "prune", sparsity = 0.9, weight-threshold = 0 }
"""


class Desk:
    def __init__(self, folder: Path, config: str) -> None:
        self.folder, self.out, self.err = folder, StringIO(), StringIO()
        (folder / "net.py").write_text(NET)
        (folder / "coreml-gate.toml").write_text(config)

    def run(self, *arguments: str) -> int:
        out, err = Screen(self.out, width=100), Screen(self.err)
        return main(arguments, Surroundings(self.folder, ENVIRONMENT, out, err, WARM))


def test_variants_are_ranked_beside_the_package_that_ships(tmp_path: Path) -> None:
    desk = Desk(tmp_path, MODEL + VARIANTS)
    assert desk.run("variants", "net", "--json") == 0

    ranking = json.loads(desk.out.getvalue())
    eligible = {each["name"]: each["eligible"] for each in ranking["candidates"]}
    assert eligible == {"net": "yes", "palette-8": "yes", "pruned": "no"}
    assert (ranking["metric"], ranking["higher_is_better"]) == ("error", False)
    sizes = {each["name"]: each["size_bytes"] for each in ranking["candidates"]}
    assert sizes["pruned"] < sizes["net"]


def test_a_model_without_variants_is_told_how_to_write_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path, MODEL)
    assert desk.run("variants", "net") == 2
    assert "[[model.variant]]" in desk.err.getvalue()


def test_compress_prints_the_line_of_the_smallest_setting_that_passes(tmp_path: Path) -> None:
    desk = Desk(tmp_path, MODEL)
    assert desk.run("compress", "net", "--settings", "palettize-8,palettize-1,prune-75") == 0

    text = desk.out.getvalue()
    rows = {line.split()[0]: line.split()[-1] for line in text.splitlines()[2:5]}
    assert rows == {"prune-75": "no", "palettize-8": "yes", "palettize-1": "no"}
    assert "Judged by the limit of `error`" in text
    assert '    compress = { method = "palettize", bits = 8 }' in text


@pytest.mark.parametrize(
    ("change", "exit_code", "message"),
    [
        (("--settings", "int8"), 2, "`--settings` names `int8`, which is not a compression setting"),
        (("--settings", ","), 2, "`--settings` names no setting"),
    ],
)
def test_settings_that_are_none_are_refused(
    tmp_path: Path, change: tuple[str, ...], exit_code: int, message: str
) -> None:
    desk = Desk(tmp_path, MODEL)
    assert desk.run("compress", "net", *change) == exit_code
    assert message in desk.err.getvalue()


def test_a_source_that_cannot_be_built_ends_with_its_own_exit_code(tmp_path: Path) -> None:
    desk = Desk(tmp_path, MODEL.replace("net.py:build", "net.py:gone"))
    assert desk.run("compress", "net", "--settings", "palettize-8") == 5
    assert "gone" in desk.err.getvalue()
