"""Do processes of head and base take turns, and is one that ends early the last?"""

from pathlib import Path
from typing import Any

import pytest

from coreml_gate.children.job import DescribedPackage
from coreml_gate.record import CoreMlRun
from coreml_gate.worker import timing_loop as module
from coreml_gate.worker.timing_loop import PackagePair, measure_footprints
from tests.checks.core_ml import ended, run
from tests.worker.core_ml_case import around

BASE, HEAD = (DescribedPackage(path=Path(name), inputs=(), outputs=()) for name in ("base", "head"))
PAIR = PackagePair(BASE, HEAD, "0a", "0b", Path("reference.npz"), "ALL")


def played(monkeypatch: pytest.MonkeyPatch, *answers: CoreMlRun) -> tuple[Any, list[str]]:
    turns: list[str] = []
    left = iter(answers)

    def predict_on(package: DescribedPackage, *_: object) -> tuple[CoreMlRun, ...]:
        turns.append(package.path.name)
        return (next(left),)

    monkeypatch.setattr(module, "predict_on", predict_on)
    return measure_footprints(PAIR, Path(), around()), turns


def test_they_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = (10, 20, 11, 21, 12, 22)
    found, turns = played(monkeypatch, *(run("ALL", peak_bytes=size) for size in sizes))
    assert turns == ["base", "head"] * 3
    assert (found.base_bytes, found.head_bytes) == ((10, 11, 12), (20, 21, 22))


def test_one_that_crashes_is_the_last_and_stays_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    found, turns = played(monkeypatch, run("ALL", peak_bytes=1), ended("ALL"))
    assert (found.base_bytes, found.head_bytes, turns) == ((1,), (), ["base", "head"])
    assert found.ending == ended("ALL", phase="predict-head").ending
