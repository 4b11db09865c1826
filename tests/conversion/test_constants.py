"""A package far larger than its source's parameters names the constant that grew."""

from typing import Any

import pytest

from coreml_gate.config import ModelInput
from tests.conversion.conftest import MakeBench

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(8, 8)
        self.freq = nn.Parameter(torch.ones(8))
        self.register_buffer("table", torch.randn({table}))
    def forward(self, x):
        n = x.shape[1]
        t = torch.arange(n, dtype=torch.float32)
        {line}
        return torch.einsum("ij,bjh->bih", rel, self.l(x))
"""
GROWN = {
    "distances": "rel = torch.exp(-0.1 * (t[:, None] - t[None]).abs())",
    "outer": "rel = torch.outer(t, self.freq.sum() * t).cos()",
    "mask": "rel = torch.full((n, n), -1e4).triu(1) + t * 0.5",
}


def _facts(bench: MakeBench, line: str, table: int = 1, length: int = 400, **options: Any) -> Any:
    inputs = (ModelInput(name="x", shape=(1, length, 8)),)
    text = NET.format(line=line, table=table)
    return bench(text, input=inputs, precision="float32", **options).convert().facts


@pytest.mark.parametrize("name", GROWN)
def test_the_constant_that_grew_and_its_line(bench: MakeBench, name: str) -> None:
    facts = _facts(bench, GROWN[name])
    assert facts.status == "converted"
    largest = facts.computed[0]
    assert (largest.bytes, sorted(largest.shape)[-2:]) == (400 * 400 * 4, [400, 400])
    assert largest.place.startswith("net.py:1")


def test_a_table_that_the_source_holds_is_a_parameter(bench: MakeBench) -> None:
    line = "rel = self.table.reshape(n, n)"
    assert _facts(bench, line, table=400 * 400).computed == ()


def test_constants_smaller_than_the_parameters_are_no_news(bench: MakeBench) -> None:
    assert _facts(bench, GROWN["distances"], table=10**6).computed == ()


def test_a_small_constant_is_no_news(bench: MakeBench) -> None:
    assert _facts(bench, GROWN["distances"], length=50).computed == ()


SPECTRUM = """
class Net(nn.Module):
    def forward(self, x):
        return {line}
"""
SPECTRA = {
    "stft": "torch.stft(x, 600, 300, 600, torch.ones(600), return_complex=True).abs()",
    "rfft": "torch.fft.rfft(x.reshape(2, 600)).abs()",
    "fft": "torch.fft.fft(x.reshape(2, 600)).real",
}


@pytest.mark.parametrize("name", SPECTRA)
def test_the_tables_of_a_fourier_transform_are_the_converters_own(bench: MakeBench, name: str) -> None:
    inputs = (ModelInput(name="x", shape=(1, 1200)),)
    made = bench(SPECTRUM.format(line=SPECTRA[name]), input=inputs, precision="float32").convert()
    assert made.facts.status == "converted"
    assert made.facts.computed == ()
    assert made.package is not None
    assert sum(file.stat().st_size for file in made.package.rglob("weight.bin")) > 500_000
