"""When does the rule say slower, not slower, or that it cannot tell?"""

import math

import numpy as np
import pytest

from coreml_gate.timing import LOOKS, PAIRS_PER_PROCESS, decide
from coreml_gate.timing.rule import Processes, is_settled

TRIALS = 400


def processes(ratio: float, count: int = 10, spread: float = 0.001, seed: int = 3) -> list[list[float]]:
    draw = np.random.default_rng(seed)
    return (math.log(ratio) + spread * draw.standard_t(2, (count, PAIRS_PER_PROCESS))).tolist()


@pytest.mark.parametrize(
    ("ratio", "call", "beyond_limit"),
    [
        (1.0, "not slower", False),
        (1.04, "not slower", False),
        (1.08, "slower", True),
        (0.8, "not slower", False),
    ],
)
def test_clear_pairs_are_decided_after_three_processes(ratio: float, call: str, beyond_limit: bool) -> None:
    decision = decide(processes(ratio), max_ratio=1.05)
    assert (decision.call, decision.beyond_limit) == (call, beyond_limit)
    assert (decision.pairs, decision.processes) == (60, 3)


def test_one_process_never_decides() -> None:
    assert decide([[math.log(1.5)] * LOOKS[-1]], max_ratio=1.05).call == "unsure"
    assert decide([], max_ratio=1.05).call == "unsure"


def test_noise_that_hides_the_limit_is_unsure_to_the_end() -> None:
    decision = decide(processes(1.05, spread=0.4), max_ratio=1.05)
    assert (decision.call, decision.pairs) == ("unsure", LOOKS[-1])


def test_processes_that_disagree_are_unsure_however_many_pairs_they_give() -> None:
    slow, even = [math.log(1.2)] * 40, [math.log(1.01)] * 5
    assert decide([even, even, slow, slow, slow], max_ratio=1.05).call == "unsure"
    assert decide([even, slow, slow, slow, slow], max_ratio=1.05).call == "slower"


def test_slower_within_the_limit_is_said_but_is_not_beyond_it() -> None:
    values = [[math.log(1.045), math.log(1.053)] * 10] * 10
    decision = decide([[*group[:19], math.log(1.045)] for group in values], max_ratio=1.05)
    assert (decision.call, decision.beyond_limit, decision.pairs) == ("slower", False, 200)


def test_one_value_per_process_is_looked_at_once_at_the_end() -> None:
    assert decide([[math.log(1.2)]] * 10, max_ratio=1.05).call == "slower"
    assert decide([[math.log(1.2)]] * 8, max_ratio=1.05).call == "unsure"  # 2 / 2^8 > 0.05 / 7


def test_looking_often_keeps_the_false_alarms_below_the_promise() -> None:
    alarms = sum(
        decide(processes(1.025, spread=0.05, seed=seed), max_ratio=1.05).call == "slower"
        for seed in range(TRIALS)
    )
    assert alarms / TRIALS <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / TRIALS)


@pytest.mark.parametrize(
    ("groups", "settled"),
    [
        (processes(1.0, 3), True),
        (processes(1.0, 2), False),
        (processes(1.05, 9, spread=0.4), False),
        (processes(1.05, 10, spread=0.4), True),
    ],
)
def test_measuring_stops_when_the_question_is_answered(groups: Processes, settled: bool) -> None:
    assert is_settled(groups, max_ratio=1.05) is settled
