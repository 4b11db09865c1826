"""``coreml-gate support`` on real sources, converted in child processes."""

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
from torch import nn

class Net(nn.Module):
    def forward(self, x):
        {body}

def samples():
    return [torch.rand(1, 4, 8, 8)]
"""
CONFIG = '[[model]]\nname = "net"\nsource = "net.py:Net"\nsamples = "net.py:samples"\n'


def support(tree: Path, body: str, *arguments: str, route: str = "auto") -> tuple[int, str, str]:
    (tree / "net.py").write_text(NET.format(body=body))
    (tree / "coreml-gate.toml").write_text(f'{CONFIG}conversion = "{route}"\n')
    out, err = StringIO(), StringIO()
    consoles = (Screen(out), Screen(err))
    code = main(["support", "net", *arguments], Surroundings(tree, ENVIRONMENT, *consoles, WARM))
    return code, out.getvalue(), err.getvalue()


def test_an_operation_of_a_newer_opset_raises_the_lowest_target(tmp_path: Path) -> None:
    body = "return nn.functional.pixel_unshuffle(x, 2)"

    code, text, _ = support(tmp_path, body, "--targets", "iOS15,iOS16", "--json", route="trace")

    answer = json.loads(text)
    assert code == 0
    assert answer["operations"] == []
    assert [item["status"] for item in answer["targets"]] == ["failed", "converted"]
    assert answer["targets"][0]["newer"] == ["pixel_unshuffle"]
    assert answer["targets"][1]["error"] < 1e-5


def test_everything_that_is_missing_is_told_with_its_line(tmp_path: Path) -> None:
    code, text, _ = support(tmp_path, "return torch.hypot(x, x), torch.asinh(x)", "--targets", "iOS17")

    assert code == 1
    assert "hypot  1x, no converter, at net.py:7" in text
    assert "asinh  1x, its converter cannot work, at net.py:7" in text
    assert "None of the targets works (iOS17)." in text


@pytest.mark.parametrize("targets", ["iOS14", ""])
def test_an_unknown_target_is_bad_input(tmp_path: Path, targets: str) -> None:
    code, _, error = support(tmp_path, "return x", "--targets", targets)
    assert code == 2
    assert f"`--targets` names `{targets}`" in error
