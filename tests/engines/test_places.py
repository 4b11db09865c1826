"""Where a line lies: in the repository, in a package that it uses, or nowhere that helps."""

from pathlib import Path

import pytest
import torch

from coreml_gate.engines.places import (
    exported_frames,
    own_place,
    place_among,
    place_of,
    relative_to_tree,
    traced_frames,
)
from coreml_gate.engines.source import load_source

SITE = "/usr/lib/python3.12/site-packages"


def test_the_innermost_line_of_the_repository_wins_over_packages_around_and_inside(tmp_path: Path) -> None:
    frames = [(f"{SITE}/torch/nn/functional.py", 9), (f"{SITE}/timm/norm.py", 88), (f"{tmp_path}/net.py", 12)]

    assert place_among(frames, tmp_path) == "net.py:12"
    assert place_among([*frames, (f"{tmp_path}/app.py", 3)], tmp_path) == "net.py:12"


def test_a_line_of_an_installed_package_is_named_and_marked(tmp_path: Path) -> None:
    frames = [(f"{SITE}/torch/nn/modules/linear.py", 134), (f"{SITE}/distillmos/sqa.py", 88)]

    assert place_among(frames, tmp_path) == "distillmos/sqa.py:88 (installed)"
    environment = [(f"{tmp_path}/.venv/lib/python3.12/site-packages/distillmos/sqa.py", 88)]
    assert place_among(environment, tmp_path) == "distillmos/sqa.py:88 (installed)"


@pytest.mark.parametrize("name", ["<frozen runpy>", "runpy>", "<string>", "<eval_with_key>.3", "no/such.py"])
def test_what_is_no_file_is_no_place(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert relative_to_tree(name, tmp_path) is None
    assert place_among([(name, 88)], tmp_path) == ""


def test_a_relative_name_of_a_file_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").touch()
    monkeypatch.chdir(tmp_path)

    assert place_among([("net.py", 7)], tmp_path) == "net.py:7"


NET = """import torch
class Net(torch.nn.Module):
    def forward(self, x):
        return self.inner(x)
    def inner(self, x):
        return torch.relu(x) + 1
def build():
    return Net()
"""


@pytest.mark.parametrize("folder", ["models", "my models (old)"])
def test_the_innermost_line_of_a_graph_whatever_its_folder_is_called(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "net.py").write_text(NET)
    model = load_source(f"{folder}/net.py:build", tmp_path).model
    assert isinstance(model, torch.nn.Module)
    traced = torch.jit.trace(model, torch.ones(2)).inlined_graph  # type: ignore[no-untyped-call]
    relu = next(node for node in traced.nodes() if node.kind() == "aten::relu")
    exported = torch.export.export(model, (torch.ones(2),), strict=True).graph
    stack = next(node.meta["stack_trace"] for node in exported.nodes if node.op == "call_function")

    assert own_place(traced_frames(relu.sourceRange()), tmp_path) == f"{folder}/net.py:6"
    assert own_place(exported_frames(stack), tmp_path) == f"{folder}/net.py:6"
    with pytest.raises(TypeError) as error:
        model("no tensor")
    assert place_of(error.value, tmp_path) == f"{folder}/net.py:6"
