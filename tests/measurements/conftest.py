"""A small repository tree with one sound model, and jobs to measure what tests put into it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.children.job import ModelJob
from coreml_gate.config import ModelConfig

NET = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(4, 3)

    def forward(self, x):
        return torch.relu(self.line(x))


def build():
    torch.manual_seed(4)  # one net in a hundred is all zeros after its relu
    return Net()


def samples():
    torch.manual_seed(1)
    return [torch.randn(1, 4) for _ in range(3)]


def evaluate(predict):
    return {"mean": sum(predict(x)["scores"].mean() for x in samples()) / 3}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "models").mkdir(parents=True)
    (root / "models" / "net.py").write_text(NET)
    return root


@pytest.fixture
def job_of(tree: Path, tmp_path: Path) -> Callable[..., ModelJob]:
    def make(**options: Any) -> ModelJob:
        defaults = {
            "name": "net",
            "source": "models/net.py:build",
            "samples": "models/net.py:samples",
            "output": ("scores",),
        }
        job = ModelJob(
            root=tree,
            record_folder=tmp_path / "out",
            model=ModelConfig(**(defaults | options)),
            closure="abc",
            max_samples=8,
        )
        job.folder.mkdir(parents=True, exist_ok=True)
        return job

    return make
