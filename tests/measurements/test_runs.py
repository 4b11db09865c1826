"""Both packages on every sample: what is compared with what, and what a package does not take."""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.errors import PackageError
from coreml_gate.measurements.runs import MilEngines, run_both
from coreml_gate.mil.ir import Feature

Arrays = dict[str, Any]


@dataclass
class Package:
    """A package that multiplies, and refuses samples that are longer than ``longest``."""

    factor: float
    dtype: str = "fp32"
    longest: int = 4
    seen: list[Any] = field(default_factory=list)
    holds: list[str] | None = None
    """Takes what happens to the package's weights, in order."""

    @property
    def model(self) -> Any:
        feature = Feature(name="x", kind="multiarray", dtype=self.dtype, shape=(1, 4))
        return SimpleNamespace(interface=SimpleNamespace(inputs=(feature,)))

    def inputs(self, sample: Mapping[str, torch.Tensor]) -> Arrays:
        return {name: value.numpy() for name, value in sample.items()}

    def run(self, sample: Mapping[str, torch.Tensor], observe: Callable[..., None] | None = None) -> Arrays:
        if sample["x"].shape[-1] > self.longest:
            raise PackageError("it takes at most 4 numbers.")
        self.seen.append((sample["x"], observe is not None))
        self._note("packed")
        return {"scores": (self.factor * sample["x"]).numpy()}

    def release(self) -> None:
        self._note("released")

    def _note(self, what: str) -> None:
        if self.holds is not None:
            self.holds.append(f"{self.dtype} {what}")


def reference(*samples: torch.Tensor, compared: bool = True, floors: dict[str, float] | None = None) -> Any:
    outputs = tuple({"scores": (2 * sample).numpy()} for sample in samples) if compared else ()
    return SimpleNamespace(
        samples=SimpleNamespace(samples=tuple({"x": sample} for sample in samples)),
        outputs=outputs,
        known_floors=floors or {},
    )


ONE = torch.tensor([[1.0, -2.0, 3.0, 4.0]])


def test_parity_compares_the_source_with_the_twin_and_precision_the_twin_with_what_ships() -> None:
    found = run_both(reference(ONE, 2 * ONE), MilEngines(Package(2.5), Package(3.0)))  # type: ignore[arg-type]
    assert [(each.reference, each.candidate, each.sample) for each in found.parity] == [
        ("source", "fp32", 0),
        ("source", "fp32", 1),
    ]
    assert [each.max_abs_error for each in found.parity] == [2.0, 4.0]
    assert [(each.reference, each.candidate, each.sample) for each in found.precision] == [
        ("fp32", "fp16", 0),
        ("fp32", "fp16", 1),
    ]
    assert [each.max_abs_error for each in found.precision] == [2.0, 4.0]
    np.testing.assert_array_equal(found.halves[1]["scores"], (6 * ONE).numpy())
    assert found.refused == ()


def test_the_noise_floor_of_the_source_goes_into_both_comparisons() -> None:
    found = run_both(
        reference(ONE, floors={"scores": 0.125, "other": 1.0}),
        MilEngines(Package(2.0), Package(2.0)),  # type: ignore[arg-type]
    )
    assert [each.floor for each in (*found.parity, *found.precision)] == [0.125, 0.125]


def test_a_package_without_a_source_is_compared_with_its_twin_alone() -> None:
    found = run_both(reference(ONE, compared=False), MilEngines(Package(2.0), Package(2.0)))  # type: ignore[arg-type]
    assert found.parity == ()
    assert [each.max_abs_error for each in found.precision] == [0.0]


def test_a_sample_that_the_package_refuses_is_told_by_its_shape_and_the_others_go_on() -> None:
    long = torch.ones(1, 6)
    found = run_both(reference(ONE, long, ONE), MilEngines(Package(2.0), Package(2.0)))  # type: ignore[arg-type]
    assert [(each.shape, each.by, each.message) for each in found.refused] == [
        ("x (1, 6)", "package", "it takes at most 4 numbers.")
    ]
    assert [each.sample for each in found.parity] == [0, 2]
    assert [set(half) for half in found.halves] == [{"scores"}, set(), {"scores"}]


def test_a_package_without_a_source_that_refuses_its_own_sample_cannot_be_measured() -> None:
    with pytest.raises(PackageError, match="at most 4 numbers"):
        run_both(reference(torch.ones(1, 6), compared=False), MilEngines(Package(2.0), Package(2.0)))  # type: ignore[arg-type]


def test_what_a_float16_input_rounds_away_counts_for_parity_and_not_for_precision() -> None:
    fine = torch.tensor([[1.0, 2049.0, 0.5, 3.0]])
    wide, shipped = Package(2.0), Package(2.0, dtype="fp16")
    run_both(reference(fine), MilEngines(wide, shipped))  # type: ignore[arg-type]
    (rounded, watched), (given, unwatched) = wide.seen
    assert rounded.tolist() == [[1.0, 2048.0, 0.5, 3.0]]
    assert given is fine
    assert (watched, unwatched) == (True, False)
    assert [sample is fine for sample, _ in shipped.seen] == [True]


def test_a_sample_that_an_input_does_not_round_runs_once() -> None:
    wide = Package(2.0)
    run_both(reference(ONE), MilEngines(wide, Package(2.0, dtype="fp16")))  # type: ignore[arg-type]
    assert len(wide.seen) == 1


def test_ranges_hold_the_extremes_of_all_samples() -> None:
    found = run_both(reference(ONE, -3 * ONE), MilEngines(Package(2.0), Package(2.0)))  # type: ignore[arg-type]
    assert (found.ranges["x"].least, found.ranges["x"].greatest) == (-12.0, 6.0)


def test_answers_in_float32_are_let_go_once_they_were_compared() -> None:
    wide, given, alive = Package(2.0), list[Any](), list[int]()

    def run(sample: Mapping[str, torch.Tensor], _: object = None) -> Arrays:
        found = Package.run(wide, sample)
        given.append(weakref.ref(found["scores"]))
        alive.append(sum(each() is not None for each in given))
        return found

    wide.run = run  # type: ignore[method-assign]
    found = run_both(reference(*(ONE * (n + 1) for n in range(6))), MilEngines(wide, Package(2.0)))  # type: ignore[arg-type]
    assert len(found.precision) == len(found.parity) == 6
    assert max(alive) <= 3


def test_only_one_of_the_two_packages_holds_packed_weights_at_a_time() -> None:
    holds: list[str] = []
    wide, shipped = Package(2.0, holds=holds), Package(2.0, dtype="fp16", holds=holds)
    run_both(reference(ONE, 2 * ONE), MilEngines(wide, shipped))  # type: ignore[arg-type]
    assert holds == ["fp16 packed", "fp16 packed", "fp16 released", "fp32 packed", "fp32 packed"]
