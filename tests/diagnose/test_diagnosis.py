"""Real conversions from the fault to the confirmed repair, and models that only look faulty."""

from dataclasses import replace

import pytest

from coreml_gate.config.limits import PrecisionLimits
from coreml_gate.diagnose import operation_errors
from coreml_gate.diagnose.diagnosis import RepairRequest, diagnose, is_needed, suspected
from coreml_gate.diagnose.operation_errors import measure_operation_errors
from coreml_gate.mil.package import read_package
from coreml_gate.record import HALF_MODES, HalfMode
from coreml_gate.runtime.model import load
from tests.diagnose.conftest import DEEP, RMS, MakeBench

MASK = """
class Net(nn.Module):
    def forward(self, x):
        return torch.softmax(x + torch.full((8, 8), {value}).triu(1), -1)

def samples():
    torch.manual_seed(1)
    return [torch.randn(1, 8, 8)]
"""
LARGE = """
class Net(nn.Module):
    def forward(self, x):
        return (x * {factor}).abs().sqrt()

def samples():
    return [torch.full((1, 4), value) for value in (1.0, 2.0)]
"""
NORM = """
class Net(nn.Module):
    def forward(self, x):
        return x / (x.square().mean(-1, keepdim=True) + 1e-12).sqrt()

def samples():
    torch.manual_seed(1)
    return [torch.randn(2, 16)]
"""
SOFTPLUS = """
class Net(nn.Module):
    def forward(self, x):
        return nn.functional.softplus(x) / 8

def samples():
    return [torch.linspace(-4, 20, 16)[None]]
"""

DRIFT = """
class Net(nn.Module):
    def forward(self, x):
        return {expression}

def samples():
    torch.manual_seed(1)
    return [torch.rand(1, 160_000) * 0.1]
"""


def test_from_the_fault_to_the_confirmed_repair(bench: MakeBench) -> None:
    made = bench(RMS)
    found = diagnose(made.case, made.ranges, RepairRequest("fp16", made.convert_again))
    first = found.hazards[0]
    assert (first.kind, first.operation, first.module, first.bites_in) == (
        "overflow",
        "pow_1",
        "RMSNorm",
        "fp16",
    )
    assert first.place == "net.py:6"
    assert found.first_nonfinite == "pow_1"
    repair = found.repair
    assert repair is not None
    assert repair.outcome == "found"
    assert repair.patterns == ("RMSNorm/add", "RMSNorm/pow", "RMSNorm/reduce_mean", "RMSNorm/rsqrt")
    assert repair.conversions == 1
    assert repair.psnr == pytest.approx(repair.psnr_expected, abs=0.1)
    assert repair.psnr is not None
    assert repair.psnr > 60
    assert (repair.psnr_before or 0) < 40
    casts = [
        each.type for each in read_package(made.folder / "again/package.mlpackage").function().block.walk()
    ]
    before = [each.type for each in made.case.shipped.function().block.walk()]
    assert repair.casts_added == casts.count("cast") - before.count("cast")
    assert [rewrite.title for rewrite in found.rewrites] == [
        "scale the input before squaring it, so that RMSNorm cannot overflow"
    ]


def test_a_trace_is_repaired_by_the_same_patterns(bench: MakeBench) -> None:
    made = bench(RMS, conversion="trace")
    found = diagnose(made.case, made.ranges, RepairRequest("fp16", made.convert_again))
    assert (found.hazards[0].operation_type, found.hazards[0].place) == ("pow", "net.py:6")
    repair = found.repair
    assert repair is not None
    assert (repair.outcome, repair.patterns[1]) == ("found", "RMSNorm/pow")


def test_without_any_of_its_operations_the_repair_fails(bench: MakeBench) -> None:
    from coreml_gate.diagnose.repair import Trial  # noqa: PLC0415 - only here

    made = bench(RMS)
    repair = diagnose(made.case, made.ranges, RepairRequest("fp16")).repair
    assert repair is not None
    assert repair.outcome == "unconfirmed"
    trial, kept = Trial(made.case), frozenset(repair.operations)
    assert trial.passes(kept)
    assert not any(trial.passes(kept - {name}) for name in kept)


def test_spread_noise_is_called_that_and_converts_nothing(bench: MakeBench) -> None:
    made = bench(DEEP)
    case = replace(made.case, limits=PrecisionLimits(warn_psnr=85.0))
    repair = diagnose(case, made.ranges, RepairRequest("fp16", lambda _: pytest.fail("converted"))).repair
    assert repair is not None
    assert (repair.outcome, repair.patterns, repair.conversions) == ("spread", (), 0)


@pytest.mark.parametrize("text", [MASK.format(value=-1e9), MASK.format(value=-3e4), NORM, DEEP])
def test_benign_patterns_do_not_fire(bench: MakeBench, text: str) -> None:
    made = bench(text)
    assert diagnose(made.case, made.ranges, RepairRequest()).hazards == ()


@pytest.mark.parametrize(("factor", "near"), [(20_000.0, True), (4_000.0, False)])
def test_what_comes_near_overflow_is_told_with_its_headroom(
    bench: MakeBench, factor: float, near: bool
) -> None:
    made = bench(LARGE.format(factor=factor))
    hazards = diagnose(made.case, made.ranges, RepairRequest()).hazards
    assert bool(hazards) is near
    if near:
        assert hazards[0].bites_in is None
        assert hazards[0].reaches == 40_000
        assert hazards[0].headroom == pytest.approx(65504 / 40_000)


def test_an_input_beyond_half_precision_is_to_blame_itself(bench: MakeBench) -> None:
    text = LARGE.replace("(x * {factor}).abs().sqrt()", "(x * 0.25).abs().sqrt()").replace("2.0", "1e5")
    first = diagnose((made := bench(text)).case, made.ranges, RepairRequest()).hazards[0]
    assert (first.kind, first.operation, first.operation_type) == ("overflow", "x", "input")
    assert (first.reaches, first.bites_in) == (1e5, "fp16")


IDS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(30_000, 4)

    def forward(self, ids):
        return self.table({ids}).mean(1)

def samples():
    return [torch.tensor([[29_743.0, 17.0, 2_049.0]])]
"""


def test_a_float32_input_that_is_cast_to_integers_at_once_is_never_a_half(bench: MakeBench) -> None:
    made = bench(IDS.format(ids="ids.long()"))
    assert not is_needed(made.case, made.ranges, failed=False)
    assert diagnose(made.case, made.ranges, RepairRequest()).hazards == ()


def test_an_input_that_half_precision_reads_first_is_one(bench: MakeBench) -> None:
    made = bench(IDS.format(ids="(ids + 1).long()"))
    found = diagnose(made.case, made.ranges, RepairRequest()).hazards
    assert [(item.operation_type, item.kind, item.bites_in) for item in found] == [
        ("add", "whole-numbers", "fp16"),
        ("input", "overflow", None),
        ("add", "overflow", None),
    ]


def test_a_cliff_bites_on_the_neural_engine_only(bench: MakeBench) -> None:
    made = bench(SOFTPLUS, conversion="trace")
    found = diagnose(made.case, made.ranges, RepairRequest())
    assert [(each.kind, each.operation_type, each.bites_in) for each in found.hazards] == [
        ("cliff", "softplus", "neural-engine")
    ]
    assert found.rewrites[0].title == "use the form of softplus that cannot overflow"
    assert any((comparison.psnr or 99) < 40 for comparison in found.neural_engine)


def test_a_long_sum_that_drifts_starts_a_diagnosis_by_itself(bench: MakeBench) -> None:
    made = bench(DRIFT.format(expression="x.sum(-1, keepdim=True) * 7e-4"))
    assert suspected(made.case, made.ranges) == ()
    assert is_needed(made.case, made.ranges, failed=False)
    (found,) = diagnose(made.case, made.ranges, RepairRequest()).hazards
    assert (found.kind, found.operation_type, found.bites_in) == (
        "accumulation",
        "reduce_sum",
        "neural-engine",
    )
    assert found.reaches > found.bound


@pytest.mark.parametrize(
    "expression",
    ["x.mean(-1, keepdim=True) * 20", "nn.functional.linear(x, torch.full((2, x.shape[-1]), 7e-4))"],
)
def test_a_mean_and_a_product_are_added_up_wide(bench: MakeBench, expression: str) -> None:
    made = bench(DRIFT.format(expression=expression))
    assert not is_needed(made.case, made.ranges, failed=False)
    assert diagnose(made.case, made.ranges, RepairRequest()).hazards == ()


def test_a_product_ends_earlier_on_the_neural_engine(bench: MakeBench) -> None:
    made = bench(DRIFT.format(expression="nn.functional.linear(x, torch.full((2, x.shape[-1]), 5.0)) * 1e-4"))
    (found,) = diagnose(made.case, made.ranges, RepairRequest()).hazards
    assert (found.kind, found.operation_type, found.bites_in) == ("overflow", "linear", "neural-engine")
    assert 32_752 == found.bound < found.reaches < 65_504


def test_what_bites_on_the_neural_engine_alone_is_repaired_there(bench: MakeBench) -> None:
    made = bench(DRIFT.format(expression="torch.cat([x.sum(-1, keepdim=True) * 7e-4, x[:, :4]], -1)"))
    repair = diagnose(made.case, made.ranges, RepairRequest("neural-engine", made.convert_again)).repair
    assert repair is not None
    assert (repair.mode, repair.outcome, repair.patterns) == ("neural-engine", "found", ("Net/reduce_sum",))
    engine = load(read_package(made.folder / "again/package.mlpackage"), mode="neural-engine")
    wide = load(made.case.twin, mode="fp32")
    given = made.case.inputs[0]
    kept, reference = (next(iter(model.predict(given).values())) for model in (engine, wide))
    assert kept == pytest.approx(reference, rel=2e-3)


def test_what_stays_within_its_limits_on_the_neural_engine_needs_no_repair(bench: MakeBench) -> None:
    made = bench(DRIFT.format(expression="x.sum(-1, keepdim=True) * 7e-4"))
    case = replace(made.case, limits=PrecisionLimits(psnr=1.0, warn_psnr=1.0, cosine=0.0))
    found = diagnose(case, made.ranges, RepairRequest("neural-engine", lambda _: pytest.fail("converted")))
    assert found.hazards[0].bites_in == "neural-engine"
    assert found.repair is None


def test_a_repair_adds_to_what_is_kept_already(bench: MakeBench) -> None:
    made = bench(RMS, keep_fp32=("Linear/linear",))
    repair = diagnose(made.case, made.ranges, RepairRequest("fp16", made.convert_again)).repair
    assert repair is not None
    assert repair.outcome == "found"
    assert repair.patterns[:2] == ("Linear/linear", "RMSNorm/add")


def test_a_sum_of_changing_signs_drifts_no_more_than_its_terms(bench: MakeBench) -> None:
    made = bench(DRIFT.format(expression="(x - x.flip(-1) * 0.9).square().sqrt()[:, ::40].sum(-1)"))
    assert not is_needed(made.case, made.ranges, failed=False)


@pytest.mark.parametrize("mode", HALF_MODES)
def test_the_errors_of_a_large_package_are_those_of_any_other(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch, mode: HalfMode
) -> None:
    made = bench(RMS)
    of = (made.case.twin, made.case.half, made.case.inputs, mode)
    wanted = measure_operation_errors(*of)
    monkeypatch.setattr(operation_errors, "_LARGE_BYTES", 0)
    found = measure_operation_errors(*of)
    assert wanted is not None
    assert found is not None
    assert found.damage == wanted.damage


def test_own_and_inherited_error_are_told_apart(bench: MakeBench) -> None:
    made = bench(RMS)
    errors = measure_operation_errors(made.case.twin, made.case.half, made.case.inputs, "fp16")
    assert errors is not None
    linear = errors.damage["linear"]
    assert linear.own < 1e-3
    assert linear.inherited > 0.01
    assert errors.harms("pow_1")
