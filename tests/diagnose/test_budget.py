"""A diagnosis whose time is over starts no further stage, reports what it has, and names what it left out."""

from dataclasses import dataclass, field

import pytest

from coreml_gate.checks.first_wrong import way_out
from coreml_gate.checks.repair import repair_hint
from coreml_gate.diagnose import parity_diagnosis
from coreml_gate.diagnose.budget import STAGES, DiagnosisBudget
from coreml_gate.diagnose.delta_debugging import OutOfBudgetError, SearchTime
from coreml_gate.diagnose.diagnosis import RepairRequest, diagnose
from coreml_gate.diagnose.repair import find_repair
from coreml_gate.record import FirstWrong, ParityDiagnosis
from coreml_gate.wording import counted
from tests.diagnose.conftest import RMS, MakeBench

STOPPED = "the diagnosis stopped after {} s (`diagnose-budget-s`), while {} (1 of 3 samples) and before {}."
REPAIR = STAGES["diagnose-repair"]


@dataclass
class Minutes:
    """Each stage takes a minute."""

    now: float = 0.0
    stages: list[str] = field(default_factory=list)

    def begin(self, stage: str) -> None:
        self.stages.append(stage)
        self.now += 60.0

    def budget(self, seconds: float) -> DiagnosisBudget:
        return DiagnosisBudget(seconds, self.begin, lambda: self.now)


@pytest.mark.parametrize(
    ("seconds", "stages", "note"),
    [
        (
            60.0,
            ["diagnose-fp16"],
            STOPPED.format(60, STAGES["diagnose-fp16"], f"{STAGES['diagnose-neural-engine']} and {REPAIR}"),
        ),
        (
            120.0,
            ["diagnose-fp16", "diagnose-neural-engine"],
            STOPPED.format(120, STAGES["diagnose-neural-engine"], REPAIR),
        ),
        (121.0, ["diagnose-fp16", "diagnose-neural-engine", "diagnose-repair"], ""),
    ],
)
def test_what_was_found_by_then_is_reported(
    bench: MakeBench, seconds: float, stages: list[str], note: str
) -> None:
    made, minutes = bench(RMS), Minutes()
    found = diagnose(made.case, made.ranges, RepairRequest("fp16"), minutes.budget(seconds))
    assert minutes.stages == stages
    assert found.note == note
    assert [hazard.operation for hazard in found.hazards][:1] == ["pow_1"]
    assert (found.repair is None) == bool(note)
    assert found.seconds == 60.0 * len(stages)


def test_a_search_for_a_repair_ends_with_the_budget(bench: MakeBench) -> None:
    made = bench(RMS)
    ticks = iter(range(10_000))
    budget = DiagnosisBudget(15.0, clock=lambda: float(next(ticks)))
    found = diagnose(made.case, made.ranges, RepairRequest("fp16"), budget)
    assert found.repair is not None
    assert found.repair.outcome == "out-of-budget"
    assert 0 < found.repair.runs < 15
    runs = counted(found.repair.runs, "run")
    assert found.note.endswith(f"(`diagnose-budget-s`), while {REPAIR} ({runs}).")


def test_a_search_whose_time_is_over_keeps_the_small_set_that_it_has(bench: MakeBench) -> None:
    case = bench(RMS).case
    ranked, runs = sorted(case.half), list[str]()
    whole = find_repair(case, ranked, None, case.half, SearchTime(60, advance=runs.append))
    assert len(runs) == whole.runs

    class Late(SearchTime):
        """Over in the last run of the search, before anything is converted again."""

        def check(self) -> None:
            if len(runs) == 2 * whole.runs:
                raise OutOfBudgetError

    cut = find_repair(case, ranked, lambda _: bench.root, case.half, Late(60, advance=runs.append))
    assert (cut.outcome, cut.operations, cut.conversions) == ("out-of-budget", whole.operations, 0)
    assert cut.variables == whole.variables != ()
    assert cut.patterns == cut.operations
    assert repair_hint(cut).endswith("passes in the search, but no conversion has verified it.")


def test_a_stage_that_was_begun_looks_at_one_sample_at_least() -> None:
    minutes, said = Minutes(), list[str]()
    budget = DiagnosisBudget(100.0, clock=lambda: minutes.now, advance=said.append)
    taken = []
    for sample in budget.in_time("diagnose-fp16", "abcd"):
        taken.append(sample)
        minutes.now += 60.0
    assert (taken, said) == (["a", "b"], ["1 of 4 samples", "2 of 4 samples"])
    assert budget.note == (
        "the diagnosis stopped after 100 s (`diagnose-budget-s`), while measuring the FP16 error of each "
        "operation (2 of 4 samples)."
    )
    assert [*budget.in_time("diagnose-neural-engine", "abcd")] == ["a"]


class Passes:
    """Forty optimisation passes, the last of which breaks the package."""

    names = tuple(f"pass-{number}" for number in range(40))
    conversions = 0

    def passes(self) -> tuple[str, ...]:
        return self.names

    changing_passes = passes

    def mapped(self, passes: tuple[str, ...]) -> tuple[str, ...]:
        return passes

    def agrees(self, passes: tuple[str, ...]) -> bool:
        """As a :class:`Failure` does."""
        return self.names[-1] not in passes


def test_a_search_for_the_pass_at_fault_says_how_far_it_came() -> None:
    passes, minutes = Passes(), Minutes()
    budget = minutes.budget(150.0)

    def mapped(names: tuple[str, ...]) -> tuple[str, ...]:
        minutes.now += 60.0
        return names

    passes.mapped = mapped  # type: ignore[method-assign]
    found = parity_diagnosis._wrong_pass(passes, passes, budget)  # type: ignore[arg-type]
    assert found.reason == (
        "one of the 10 optimisation passes from `pass-30` to `pass-39` breaks it; "
        "150 s (`diagnose-budget-s`) are over"
    )


def test_a_route_that_was_not_tried_is_named_in_the_way_out() -> None:
    minutes = Minutes()
    budget = minutes.budget(60.0)
    assert budget.allows("diagnose-pass")
    assert not budget.allows("diagnose-route")
    assert not budget.allows("diagnose-route")
    diagnosis = ParityDiagnosis(found_on="samples", sample=0, first_wrong=FirstWrong(), note=budget.note)
    assert way_out(diagnosis) == (
        "The diagnosis stopped after 60 s (`diagnose-budget-s`), before converting along another route."
    )


def test_without_seconds_there_is_no_end() -> None:
    minutes = Minutes(now=1e9)
    budget = DiagnosisBudget(begin=minutes.begin, clock=lambda: minutes.now)
    assert all(budget.allows(stage) for stage in STAGES)
    assert budget.note == ""
