"""Does a program give the same by every plan: plain, packed, recognised, fused, and by two threads at once?

Each case is a random program that nobody wrote: nearly what the runtime recognises. The seed of a case is its
number, so a failure names all that it takes to see it again.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from coreml_gate.errors import PackageError
from coreml_gate.runtime.packed import available
from coreml_gate.runtime.precision import Mode
from tests.fuzz.runtime.comparing import DivergedError, check
from tests.fuzz.runtime.flows import flow_case
from tests.fuzz.runtime.layers import empty_case, layer_case
from tests.fuzz.runtime.loops import loop_case
from tests.fuzz.runtime.net import Make
from tests.fuzz.runtime.nets import net_case
from tests.fuzz.runtime.packages import check as check_package
from tests.fuzz.runtime.packages import save
from tests.fuzz.runtime.plain import small_layers_count
from tests.fuzz.runtime.turns import unrolled_case

pytestmark = pytest.mark.skipif(not available(), reason="this torch has no oneDNN")

FAMILIES: dict[str, Make] = {
    "empties": empty_case,
    "flows": flow_case,
    "layers": layer_case,
    "loops": loop_case,
    "nets": net_case,
    "turns": unrolled_case,
}
FEW = {"empties": 25, "flows": 8, "layers": 25, "loops": 8, "nets": 20, "turns": 8}
MODES: tuple[Mode, ...] = ("fp32", "fp16", "neural-engine")
MANY = 2_000
"""Of each family."""


def fuzz(family: str, numbers: range) -> None:
    told: list[str] = []
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for number in numbers:
            try:
                one(family, number)
            except DivergedError as error:
                told.append(f"{family} {number}: {error}")
    finally:
        torch.set_num_threads(before)
    assert not told, "\n".join(told)


def one(family: str, number: int) -> None:
    """One case; ``number`` is its seed."""
    rng = np.random.default_rng([7, number])
    try:
        case = FAMILIES[family](rng)
    except PackageError:  # it does not hold together: a loop that leaves its rows
        return
    mode: Mode = rng.choice(MODES, p=[0.3, 0.5, 0.2])
    with small_layers_count(by_matrix=rng.random() < 0.5):
        check(case, mode, threads=number % 10 == 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_random_programs_give_the_same_by_every_plan(family: str) -> None:
    fuzz(family, range(FEW[family]))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_thousands_of_random_programs_give_the_same_by_every_plan(family: str) -> None:
    fuzz(family, range(MANY))


@pytest.mark.slow
def test_random_packages_give_the_same_at_every_shape_and_from_every_array(tmp_path: Path) -> None:
    told: list[str] = []
    for number in range(100):
        rng, path = np.random.default_rng([9, number]), tmp_path / f"{number}.mlpackage"
        shapes = save(rng, path)
        for mode in MODES:
            with small_layers_count(by_matrix=rng.random() < 0.5):
                try:
                    check_package(rng, path, shapes, mode)
                except DivergedError as error:
                    told.append(f"package {number}, {mode}: {error}")
    assert not told, "\n".join(told)
