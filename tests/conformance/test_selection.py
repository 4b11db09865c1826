"""Is the sample the same everywhere, and does a group name what it says?"""

from pathlib import PurePath

import pytest

from conformance import groups, sample


@pytest.mark.parametrize(
    ("count", "most", "places"),
    [
        (3, 4, (0, 1, 2)),
        (9, 1, (4,)),
        (10, 2, (0, 9)),
        (10, 4, (0, 3, 6, 9)),
        (100, 3, (0, 50, 99)),
        (0, 2, ()),
    ],
)
def test_spaced(count: int, most: int, places: tuple[int, ...]) -> None:
    assert sample.spaced(count, most) == places


def test_sample_takes_from_each_key_and_keeps_the_order() -> None:
    items = ["a1", "b1", "a2", "a3", "b2", "a4"]
    assert sample.sample(items, lambda item: item[0], 2) == ["a1", "a4", "b1", "b2"]


def test_spread_takes_turns_and_is_even_whenever_it_stops() -> None:
    items = [f"a{place}" for place in range(40)] + ["b0", "b1"]
    order = sample.spread(items, lambda item: item[0])
    assert sorted(order) == sorted(items)
    assert [item[0] for item in order[:5]] == ["a", "b", "a", "b", "a"]
    places = sorted(int(item[1:]) for item in order[:10] if item[0] == "a")
    assert max(right - left for left, right in zip(places, [*places[1:], 40], strict=True)) < 10


@pytest.mark.parametrize(
    ("path", "frontend", "group"),
    [
        ("ops/tests/iOS17/test_conv.py", None, "iOS17/conv"),
        ("frontend/torch/test/test_torch_ops.py", "TORCHSCRIPT", "torch.jit/torch_ops"),
        ("frontend/torch/test/test_torch_ops.py", "TORCHEXPORT", "torch.export/torch_ops"),
    ],
)
def test_group_of(path: str, frontend: str | None, group: str) -> None:
    assert groups.group_of(PurePath(path), frontend) == group


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        ((), True),
        (("iOS17",), True),
        (("iOS17/conv",), True),
        (("iOS1",), False),
        (("iOS16", "torch.jit"), False),
    ],
)
def test_wanted(asked: tuple[str, ...], taken: bool) -> None:
    assert groups.wanted("iOS17/conv", asked) is taken


def test_modules_are_collected_once() -> None:
    both = groups.modules(["torch.jit/torch_ops", "torch.export/torch_ops", "iOS17"])
    assert both == (
        "coremltools.converters.mil.frontend.torch.test.test_torch_ops",
        "coremltools.converters.mil.mil.ops.tests.iOS17",
    )
    assert len(groups.modules([])) == 5


def test_an_unknown_group_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"group `iOS12` is unknown; known are iOS14, .*torch\.export"):
        groups.modules(["iOS12"])
