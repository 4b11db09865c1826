"""A wrong conversion on its whole way: from the user's file to the line that switches the route."""

from pathlib import Path
from typing import Any

import pytest

from coreml_gate.children.job import ModelJob
from coreml_gate.config import Config, ModelConfig
from coreml_gate.frozen import changed
from coreml_gate.gate.judge import judge
from coreml_gate.report.markdown import render
from coreml_gate.report.options import ReportOptions
from coreml_gate.verdict import BaselineFacts
from tests.builders import record
from tests.reported import measured

NET = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(4, 4)

    def forward(self, x):
        y = self.line(x)
        return {}


def samples():
    return [torch.randn(2, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
"""
NOWHERE = BaselineFacts(origin="none", commit="", present=False)


def comment(folder: Path, result: str, **options: Any) -> str:
    """The comment on a model whose forward ends with this result."""
    (folder / "net.py").write_text(NET.format(result), encoding="utf-8")
    model = ModelConfig(
        name="net", source="net.py:Net", samples="net.py:samples", precision="float32", **options
    )
    job = ModelJob(root=folder, record_folder=folder / "out", model=model, closure="abc", max_samples=2)
    head = record(changed(measured(job), content="abc"))
    return render(judge(Config(model=(model,)), head, None, NOWHERE), ReportOptions())


@pytest.mark.parametrize(
    ("result", "first", "other"),
    [
        ("torch.nn.functional.gelu(y * 3, approximate='tanh')", "export", "trace"),
        ("torch.nn.functional.softplus(y * 3, threshold=1)", "export", "decomposed"),
        ("torch.triu(y, 1)", "trace", "decomposed"),
    ],
)
def test_the_comment_names_the_route_that_agrees_and_the_line_that_switches(
    tmp_path: Path, result: str, first: str, other: str
) -> None:
    text = comment(tmp_path, result, conversion=first)
    assert f'The {other} route agrees with the source: conversion = "{other}"' in text.replace("\\_", "_")
    assert "net.py:12" in text


def test_both_routes_wrong_is_said_with_the_way_out(tmp_path: Path) -> None:
    text = comment(tmp_path, "torch.reciprocal(y)", conversion="export")
    assert "The trace route is wrong as well" in text
    assert "ones_like" in text.replace("\\_", "_")
