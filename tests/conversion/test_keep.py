import pytest

from coreml_gate.conversion.keep import is_kept
from coreml_gate.conversion.origins import Origin, read_origins
from tests.conversion.conftest import MakeBench, saved

NET = """
class Norm(nn.Module):
    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.line = Norm(), nn.Linear(4, 3)
    def forward(self, x):
        return self.line(self.norm(x))
"""
X = [{"name": "x", "shape": [1, 4]}]


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("Norm/pow", True),
        ("Norm/*", True),
        ("*/pow", True),
        ("*/p*", True),
        ("pow_1", True),
        ("pow_*", True),
        ("Net/pow", False),
        ("Norm/po", False),
        ("pow", False),
    ],
)
def test_patterns(pattern: str, kept: bool) -> None:
    assert bool(is_kept([pattern], "pow_1", "pow", Origin("Norm"))) is kept


@pytest.mark.parametrize("conversion", ["export", "trace"])
def test_a_pattern_by_module_keeps_the_same_operations_on_both_routes(
    bench: MakeBench, conversion: str
) -> None:
    made = bench(NET, input=X, conversion=conversion, keep_fp32=["Norm/*"]).convert()
    origins = read_origins(made.origins)
    assert {name for name, origin in origins.items() if not origin.half} == {
        name for name, origin in origins.items() if origin.module == "Norm"
    }
    assert saved(made.package).operations == [
        "pow",
        "reduce_mean",
        "add",
        "rsqrt",
        "mul",
        "cast",
        "linear",
        "cast",
    ]


def test_an_exported_operation_knows_its_line(bench: MakeBench) -> None:
    made = bench(NET, input=X, conversion="export").convert()
    pow_ = next(origin for name, origin in read_origins(made.origins).items() if name.startswith("pow"))
    assert (pow_.module, pow_.place) == ("Norm", "net.py:6")


def test_a_pattern_that_names_nothing_any_more_is_refused(bench: MakeBench) -> None:
    made = bench(NET, input=X, keep_fp32=["Norm/*", "OldNorm/*"]).convert()
    assert made.facts.status == "failed"
    assert "`keep-fp32` names `OldNorm/*`" in made.facts.message
    assert "the modules are `Linear`, `Norm`" in made.facts.hint
