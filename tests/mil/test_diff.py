"""The difference of two programs: nothing for equals, the mirror image when swapped, and the right words."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from coreml_gate.errors import RecordError
from coreml_gate.mil.diff import Diff, ProgramChange, ProgramOutline, of_itself, read_outline
from coreml_gate.mil.diff_changes import diff
from coreml_gate.mil.outline import module_of_weight, outline
from tests.mil.programs import const, function, operation, tensor

Layer = tuple[str, float]
"""A layer's type, and the value of its weight (a ``linear``) or 0."""
NET: Sequence[Layer] = (("linear", 1), ("relu", 0), ("linear", 2), ("relu", 0), ("linear", 3), ("softmax", 0))


def net(layers: Sequence[Layer], dtype: str = "fp16", prefix: str = "", settings: int = 0) -> ProgramOutline:
    """A chain, its operations named and counted per type as the converter does it."""
    operations = []
    counts: dict[str, int] = {}
    last = "x"
    for kind, weight in layers:
        number = counts[kind] = counts.get(kind, -1) + 1
        name = f"{prefix}{kind}_{number}"
        arguments: dict[str, Any] = {"x": last}
        if weight:
            arguments["weight"] = f"layers_{weight:g}_weight"
            operations.append(const(arguments["weight"], np.full((4, 4), float(weight))))
        if kind == "softmax":
            arguments["axis"] = "axis"
            operations.append(const("axis", settings))
        operations.append(operation(kind, tensor(name, 1, 4, dtype=dtype), **arguments))
        last = name
    return outline(function((tensor("x", 1, 4),), *operations, outputs=(last,)))


def changes(found: Diff) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [(change.kind, change.base, change.head) for change in found.changes]


VARIANTS = {
    "same": net(NET),
    "inserted": net([*NET[:2], ("gelu", 0), *NET[2:]]),
    "layer inserted": net([*NET[:2], ("linear", 9), ("relu", 0), *NET[2:]]),
    "removed": net([NET[0], *NET[2:]]),
    "replaced": net([NET[0], ("gelu", 0), *NET[2:]]),
    "retrained": net([(kind, weight and weight + 10) for kind, weight in NET]),
    "renamed": net(NET, prefix="m_"),
    "re-typed": net(NET, dtype="fp32"),
    "other axis": net(NET, settings=1),
    "split": net([("linear", 1), ("sigmoid", 0), ("mul", 0), *NET[2:]]),
    "swapped": net([NET[2], NET[1], NET[0], *NET[3:]]),
    "empty": ProgramOutline(("x",), (), ("x",)),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_program_does_not_differ_from_itself(name: str) -> None:
    assert diff(VARIANTS[name], VARIANTS[name]).changes == ()


MIRRORED = {"added": "removed", "removed": "added", "fused": "split", "split": "fused"}
"""What a change is called when base and head swap places; the others keep their name."""


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(VARIANTS, 2)))
def test_swapped_sides_give_the_mirror_image(one: str, other: str) -> None:
    there, back = (diff(VARIANTS[a], VARIANTS[b]) for a, b in ((one, other), (other, one)))
    mirrored = [(MIRRORED.get(change.kind, change.kind), change.head, change.base) for change in back.changes]
    assert sorted(changes(there)) == sorted(mirrored)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("inserted", [("added", (), ("gelu_0",))]),
        ("layer inserted", [("added", (), ("linear_1",)), ("added", (), ("relu_1",))]),
        ("removed", [("removed", ("relu_0",), ())]),
        ("replaced", [("replaced", ("relu_0",), ("gelu_0",))]),
        ("renamed", []),
        ("split", [("split", ("relu_0",), ("sigmoid_0", "mul_0"))]),
        ("other axis", [("settings", ("softmax_0",), ("softmax_0",))]),
        ("retrained", [("weights", (f"linear_{i}",), (f"linear_{i}",)) for i in range(3)]),
    ],
)
def test_what_changed(name: str, expected: list[tuple[str, tuple[str, ...], tuple[str, ...]]]) -> None:
    assert changes(diff(VARIANTS["same"], VARIANTS[name])) == expected


def test_an_inserted_layer_renames_the_others_and_changes_none() -> None:
    """``linear_1`` became ``linear_2``: by name alone its weights would have changed."""
    found = diff(VARIANTS["same"], VARIANTS["layer inserted"])
    assert found.renamed == 3
    assert found.headline() == "8 operations, 6 in the baseline: 2 added."


def test_every_operation_of_a_wider_type_is_re_typed_and_not_new() -> None:
    found = diff(VARIANTS["same"], VARIANTS["re-typed"])
    assert {change.kind for change in found.changes} == {"re-typed"}
    assert [change.text for change in found.changes] == ["fp16 to fp32"] * 6


def test_layers_in_another_order_moved() -> None:
    found = diff(VARIANTS["same"], VARIANTS["swapped"])
    assert found.count() == {"moved": 4}


def batch_norm(folded: bool) -> ProgramOutline:
    weight = const("layers_0_weight", np.full((4, 4), 2.0 if folded else 1.0))
    first = operation("linear", tensor("a", 1, 4), x="x", weight="layers_0_weight")
    norm = operation("batch_norm", tensor("b", 1, 4), x="a")
    last = operation("relu", tensor("c", 1, 4), x="a" if folded else "b")
    made = (weight, first, last) if folded else (weight, first, norm, last)
    return outline(function((tensor("x", 1, 4),), *made, outputs=("c",)))


def test_an_operation_that_went_into_its_neighbours_weights_is_fused() -> None:
    found = diff(batch_norm(folded=False), batch_norm(folded=True))
    assert found.changes[0] == ProgramChange("fused", "layers_0", ("b",), ("a",), "batch_norm into linear")
    assert list(found.lines()) == ["layers_0: fused 1 batch_norm into linear; weights 1 linear"]


def test_another_precision_re_types_and_wraps_in_casts_but_splits_nothing() -> None:
    """As the converter does it: casts at both ends, suffixes on names, other digests of all weights."""

    def wide_or_half(half: bool) -> ProgramOutline:
        dtype, suffix = ("fp16", "_cast_fp16") if half else ("fp32", "")
        weight = const("layers_0_weight", np.full((4, 4), 1.001 if half else 1.0))
        body = operation(
            "linear",
            tensor(f"a{suffix}", 1, 4, dtype=dtype),
            x="xh" if half else "x",
            weight="layers_0_weight",
        )
        last = operation("relu", tensor(f"b{suffix}", 1, 4, dtype=dtype), x=f"a{suffix}")
        first = operation("cast", tensor("xh", 1, 4), x="x")
        out = operation("cast", tensor("out", 1, 4, dtype="fp32"), x=f"b{suffix}")
        made = (weight, first, body, last, out) if half else (weight, body, last)
        return outline(function((tensor("x", 1, 4, dtype="fp32"),), *made, outputs=("out" if half else "b",)))

    found = diff(wide_or_half(half=False), wide_or_half(half=True))
    assert found.count() == {"added": 2, "re-typed": 2}
    assert {change.text for change in found.changes} == {"cast", "fp32 to fp16"}


def test_a_long_region_is_named_by_its_first_operations() -> None:
    kinds = ("relu", "exp", "log", "sqrt", "tanh", "sigmoid", "erf")
    found = diff(net([("gelu", 0)]), net([(kind, 0) for kind in kinds]))
    assert [change.text for change in found.changes] == ["gelu as relu + exp + log + sqrt + tanh and 2 more"]


def attention(fused: bool) -> ProgramOutline:
    inputs = tuple(tensor(name, 1, 2, 8, 4) for name in "qkv")
    scores = operation("matmul", tensor("s", 1, 2, 8, 8), x="q", y="k")
    soft = operation("softmax", tensor("p", 1, 2, 8, 8), x="s")
    mixed = operation("matmul", tensor("m", 1, 2, 8, 4), x="p", y="v")
    whole = operation("scaled_dot_product_attention", tensor("m", 1, 2, 8, 4), query="q", key="k", value="v")
    return outline(function(inputs, *((whole,) if fused else (scores, soft, mixed)), outputs=("m",)))


def test_operations_that_one_took_the_place_of_are_fused() -> None:
    (change,) = diff(attention(fused=False), attention(fused=True)).changes
    assert change.kind == "fused"
    assert change.text == "matmul + softmax + matmul as scaled_dot_product_attention"


def test_many_parts_fit_into_ten_lines() -> None:
    base = net([("linear", number) for number in range(1, 40)])
    head = net([("linear", number + 100) for number in range(1, 40)])
    lines = list(diff(base, head).lines())
    assert len(lines) == 9
    assert lines[-1] == "and 31 changes in 31 more parts"


def test_an_outline_survives_the_record() -> None:
    for made in VARIANTS.values():
        assert read_outline(made.lines()) == made


@pytest.mark.parametrize("line", ["nonsense", "a\tb\tc\td\te\tf\tg\th", "a\trelu\t\tb\t\t\tweight=fp16"])
def test_an_outline_of_another_form_is_refused(line: str) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        read_outline(("x", "y", line))


@pytest.mark.parametrize("lines", [(), ("x",)])
def test_an_outline_without_its_first_lines_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        read_outline(lines)


def test_an_outline_against_itself_need_not_be_read() -> None:
    for made in VARIANTS.values():
        assert of_itself(made.lines()) == diff(made, made)
    assert of_itself(("x",)) == Diff(0, 0, 0, ())


@pytest.mark.parametrize(
    ("weight", "module"),
    [
        ("p_layers_0_attn_in_proj_weight_to_fp16", "layers_0"),
        ("encoder_layers_11_fc1_weight_to_fp16_palettized", "encoder_layers_11"),
        ("head_bias_to_fp16", "head"),
        ("lstm_weight_ih_l0", "lstm"),
        ("const_89_to_fp16", ""),
        ("addmm_bias_0_to_fp16", ""),
        ("permute_13_to_fp16", ""),
        ("input_5_weight_0_to_fp16", ""),
    ],
)
def test_the_names_of_weights_tell_the_part_of_the_model(weight: str, module: str) -> None:
    assert module_of_weight(weight) == module
