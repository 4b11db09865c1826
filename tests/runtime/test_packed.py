"""Packed kernels compute what the operation's own body computes, for every form that they take."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from coreml_gate.errors import PackageError
from coreml_gate.mil.ir import Block, Function, TensorType, Value
from coreml_gate.runtime import packed
from coreml_gate.runtime.compile import compile_function
from coreml_gate.runtime.packed import PACKED, PackedLinear, PackedLstm, available
from coreml_gate.runtime.packed.kernel import LEAST_PRODUCTS, contiguous_wide
from tests.runtime.conftest import constant, single
from tests.runtime.test_fusion_groups import made

pytestmark = pytest.mark.skipif(not available(), reason="this torch has no oneDNN")

Form = tuple[str, tuple[int, ...], dict[str, Any]]


def drawn(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def lstm(features: int, hidden: int, suffix: str = "", bias: bool = True) -> dict[str, Any]:
    """Constants of one direction."""
    weights = {
        f"weight_ih{suffix}": drawn(4 * hidden, features),
        f"weight_hh{suffix}": drawn(4 * hidden, hidden),
    }
    return {**weights, f"bias{suffix}": drawn(4 * hidden)} if bias else weights


def states(batch: int, width: int) -> dict[str, Any]:
    return {"initial_h": drawn(batch, width), "initial_c": drawn(width, batch).T.copy()}


FORMS: dict[str, Form] = {
    "image": ("conv", (1, 16, 20, 24), {"weight": drawn(32, 16, 3, 3), "bias": drawn(32)}),
    "strided, same": (
        "conv",
        (2, 8, 33, 30),
        {"weight": drawn(64, 8, 3, 3), "strides": [2, 2], "pad_type": "same"},
    ),
    "padded at one end": (
        "conv",
        (1, 16, 20, 20),
        {"weight": drawn(32, 16, 3, 3), "pad_type": "custom", "pad": [0, 1, 2, 0]},
    ),
    "dilated": ("conv", (1, 16, 30, 30), {"weight": drawn(32, 16, 3, 3), "dilations": [2, 3]}),
    "depthwise": ("conv", (1, 24, 9, 9), {"weight": drawn(24, 1, 5, 5), "groups": 24, "bias": drawn(24)}),
    "groups": ("conv", (1, 24, 20, 20), {"weight": drawn(48, 8, 3, 3), "groups": 3}),
    "gray": ("conv", (1, 1, 40, 40), {"weight": drawn(64, 1, 3, 3)}),
    "one place wide": ("conv", (2, 48, 14, 15), {"weight": drawn(64, 48, 1, 1), "bias": drawn(64)}),
    "one place wide, strided": (
        "conv",
        (2, 48, 31, 30),
        {"weight": drawn(64, 48, 1, 1), "strides": [2, 2], "pad_type": "same"},
    ),
    "sequence, one place wide": ("conv", (1, 48, 300), {"weight": drawn(64, 48, 1), "bias": drawn(64)}),
    "sequence": (
        "conv",
        (2, 32, 200),
        {"weight": drawn(48, 32, 5), "strides": [2], "dilations": [3], "pad_type": "custom", "pad": [4, 4]},
    ),
    "sequence padded at one end": (
        "conv",
        (1, 32, 200),
        {"weight": drawn(48, 32, 5), "pad_type": "custom", "pad": [4, 0]},
    ),
    "volume": ("conv", (1, 8, 8, 9, 10), {"weight": drawn(16, 8, 3, 3, 3), "bias": drawn(16)}),
    "transposed": (
        "conv_transpose",
        (1, 32, 14, 15),
        {"weight": drawn(32, 16, 4, 4), "strides": [2, 2], "bias": drawn(16)},
    ),
    "transposed and cropped": (
        "conv_transpose",
        (1, 32, 14, 14),
        {
            "weight": drawn(32, 16, 3, 3),
            "strides": [2, 2],
            "pad_type": "custom",
            "pad": [1, 1, 1, 1],
            "output_shape": [1, 16, 28, 28],
        },
    ),
    "transposed sequence": (
        "conv_transpose",
        (1, 32, 600),
        {"weight": drawn(32, 8, 4), "strides": [2], "groups": 2, "dilations": [3]},
    ),
    "linear": ("linear", (1, 50, 128), {"weight": drawn(96, 128), "bias": drawn(96)}),
    "linear without bias": ("linear", (2, 3, 20, 128), {"weight": drawn(96, 128)}),
    "matmul": ("matmul", (2, 40, 128), {"y": drawn(128, 96)}),
    "matmul by the transposed": ("matmul", (60, 128), {"y": drawn(96, 128), "transpose_y": True}),
    "matmul by a matrix that is repeated": ("matmul", (3, 40, 128), {"y": drawn(128, 96)[None].repeat(3, 0)}),
    "lstm": ("lstm", (7, 2, 5), {**lstm(5, 6), **states(2, 6), "output_sequence": True}),
    "lstm from the end": (
        "lstm",
        (7, 2, 5),
        {**lstm(5, 6, bias=False), **states(2, 6), "direction": "reverse"},
    ),
    "lstm both ways": (
        "lstm",
        (7, 1, 5),
        {
            **lstm(5, 6),
            **lstm(5, 6, "_back"),
            **states(1, 12),
            "direction": "bidirectional",
            "output_sequence": True,
        },
    ),
}

Run = Callable[..., Any]


def run(form: Form, mode: Any, dtype: Any, *, keeps: bool = True) -> tuple[torch.Tensor, Any]:
    """All results in one row, and the plan."""
    kind, shape, constants = form
    x = drawn(*shape).astype(dtype)
    given = {
        name: value.astype(dtype) if isinstance(value, np.ndarray) else value
        for name, value in constants.items()
    }
    others = {name: given.pop(name) for name in PACKED[kind].operands[1:]}
    names = ["fp16" if dtype is np.float16 else "fp32"] * (3 if kind == "lstm" else 1)
    plan = compile_function(single(kind, {"x": x, **others}, given, names), mode, keeps=keeps)
    results = plan.run([torch.from_numpy(value) for value in (x, *others.values())])
    return (results[0] if len(results) == 1 else torch.cat([value.reshape(-1) for value in results])), plan


@pytest.mark.parametrize("name", FORMS)
def test_a_packed_kernel_computes_what_the_plain_body_does(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, plan = run(FORMS[name], "fp32", np.float32)
    (step,) = plan.steps
    assert step.kernel is not None
    assert list(step.kernel._serves.values()) == [True]
    monkeypatch.setattr(packed, "available", lambda: False)
    wanted, plain = run(FORMS[name], "fp32", np.float32)
    assert plain.steps[0].kernel is None
    np.testing.assert_allclose(result.numpy(), wanted.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["image", "depthwise", "transposed and cropped", "linear", "matmul", "lstm"])
def test_half_operands_are_computed_wide_and_rounded_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result, plan = run(FORMS[name], "fp16", np.float16)
    assert result.dtype is torch.float16
    assert plan.steps[0].kernel is None, "what rounds is never fused"
    monkeypatch.setattr(packed, "available", lambda: False)
    wanted, _ = run(FORMS[name], "fp16", np.float16)
    np.testing.assert_allclose(result.float().numpy(), wanted.float().numpy(), rtol=2**-10, atol=2e-3)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    ("mode", "dtype"), [("fp32", np.float32), ("fp16", np.float16), ("neural-engine", np.float16)]
)
def test_a_plan_that_keeps_no_weight_gives_the_same_bits(name: str, mode: Any, dtype: Any) -> None:
    wanted, _ = run(FORMS[name], mode, dtype)
    found, plan = run(FORMS[name], mode, dtype, keeps=False)
    assert found.dtype is wanted.dtype
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    assert [step.kernel for step in plan.steps] == [None]
    tensors = [each for each in plan.registers if isinstance(each, torch.Tensor) and each.numel() > 1]
    if mode != "fp32" and PACKED[FORMS[name][0]] is not PackedLstm:
        assert all(each.dtype is not torch.float32 for each in tensors), "widened where it is read"


def test_a_plan_that_keeps_no_weight_packs_it_in_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    made, pack = list[torch.Tensor](), PackedLinear.pack
    monkeypatch.setattr(PackedLinear, "pack", lambda kernel, x: made.append(x) or pack(kernel, x))
    _, plan = run(FORMS["linear"], "fp16", np.float16, keeps=False)
    x = torch.from_numpy(drawn(*FORMS["linear"][1])).half()
    plan.run([x])
    assert len(made) == 2


def test_a_small_layer_and_a_computed_weight_stay_with_the_plain_body() -> None:
    small: Form = ("linear", (1, 64), {"weight": drawn(64, 64)})
    assert LEAST_PRODUCTS > 64 * 64
    result, plan = run(small, "fp32", np.float32)
    assert list(plan.steps[0].kernel._serves.values()) == [False]
    np.testing.assert_allclose(result.numpy(), drawn(1, 64) @ drawn(64, 64).T, rtol=1e-4, atol=1e-4)
    x, weight = drawn(64, 128), drawn(96, 128)
    plan = compile_function(single("linear", {"x": x, "weight": weight}, {}, ["fp32"]), "fp32")
    assert plan.steps[0].kernel is None


@pytest.mark.parametrize(
    ("shape", "matrices"),
    [
        ((60, 128), drawn(1, 128, 96)),
        ((1, 60, 128), drawn(128, 96)[None].repeat(3, 0)),
        ((3, 60, 128), drawn(3, 128, 96)),
    ],
    ids=["of a lower rank", "broadcast", "by several matrices"],
)
def test_a_product_with_matrices_stays_a_product_with_matrices(
    shape: tuple[int, ...], matrices: NDArray[np.float32]
) -> None:
    result, _ = run(("matmul", shape, {"y": matrices}), "fp32", np.float32)
    np.testing.assert_allclose(result.numpy(), drawn(*shape) @ matrices, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sizes", [(14, 15), (300,)])
def test_a_layer_of_one_place_gives_the_same_bits_however_its_operand_lies(sizes: tuple[int, ...]) -> None:
    """An operand behind others in its memory, one with the channels innermost, one with them outermost."""
    x = torch.from_numpy(drawn(3, 48, *sizes))
    x[1, 3, 5], x[2, 4, 6] = torch.nan, torch.inf
    constants = {"weight": drawn(64, 48, *(1 for _ in sizes)), "bias": drawn(64)}
    plan = compile_function(single("conv", {"x": x[1:].numpy()}, constants, ["fp32"]), "fp32")
    innermost = x.movedim(1, -1).contiguous().movedim(-1, 1)
    wanted, *others = (plan.run([part])[0] for part in (x[1:].clone(), x[1:], innermost[1:]))
    for found in others:
        assert torch.equal(found.isnan(), wanted.isnan())
        assert torch.equal(found.nan_to_num(), wanted.nan_to_num())
        assert found.movedim(1, -1).is_contiguous()
    assert 0 < int(wanted.isnan().sum()) < wanted.numel()


def test_an_image_of_one_place_is_a_small_linear_layer() -> None:
    form: Form = ("conv", (3, 24, 1, 1), {"weight": drawn(32, 24, 1, 1), "bias": drawn(32)})
    result, plan = run(form, "fp32", np.float32)
    assert list(plan.steps[0].kernel._serves.values()) == [False]
    weight, bias = (form[2][name] for name in ("weight", "bias"))
    wanted = drawn(3, 24, 1, 1)[..., 0, 0] @ weight[..., 0, 0].T + bias
    np.testing.assert_allclose(result.numpy(), wanted[..., None, None], rtol=1e-4, atol=1e-4)


def test_no_image_of_one_place_gives_none() -> None:
    form: Form = ("conv", (0, 24, 1, 1), {"weight": drawn(32, 24, 1, 1)})
    for result in (run(form, "fp32", np.float32)[0], run(form, "fp16", np.float16)[0]):
        assert result.shape == (0, 32, 1, 1)


def test_threads_that_come_first_at_once_pack_a_layer_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of an LSTM that two packed would be those of two directions."""
    x = torch.from_numpy(drawn(64, 128))
    constants = {"weight": drawn(256, 128), "bias": drawn(256)}
    plan = compile_function(single("linear", {"x": x.numpy()}, constants, ["fp32"]), "fp32")
    together, pack, packed_by = threading.Barrier(2), PackedLinear.pack, list[int]()

    def waiting(kernel: PackedLinear, x: torch.Tensor) -> torch.Tensor:
        packed_by.append(threading.get_ident())
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(0.2)
        return pack(kernel, x)

    monkeypatch.setattr(PackedLinear, "pack", waiting)
    threads = [threading.Thread(target=plan.run, args=([x],)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(packed_by) == 1


def test_one_layer_serves_operands_of_several_shapes() -> None:
    constants = FORMS["image"][2]
    plan = compile_function(single("conv", {"x": drawn(1, 16, 20, 24)}, constants, ["fp32"]), "fp32")
    for shape in ((1, 16, 20, 24), (3, 16, 9, 40), (1, 16, 20, 24)):
        x = torch.from_numpy(drawn(*shape))
        wanted = torch.conv2d(x, *(torch.from_numpy(constants[name]) for name in ("weight", "bias")))
        np.testing.assert_allclose(plan.run([x])[0].numpy(), wanted.numpy(), rtol=1e-4, atol=1e-4)


def test_a_weight_that_several_layers_read_is_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of layers of one shape: for another it might be laid out in another way, and change bits."""
    packed_weights, pack = list[tuple[int, ...]](), PackedLinear.pack

    def counted(kernel: PackedLinear, x: torch.Tensor) -> torch.Tensor:
        packed_weights.append(tuple(x.shape))
        return pack(kernel, x)

    monkeypatch.setattr(PackedLinear, "pack", counted)
    same, other = constant(drawn(256, 256)), constant(drawn(256, 256) + 1)
    x = Value("x", TensorType("fp32", (64, 256)))
    operations = (
        made("linear", "a", "fp32", (64, 256), x="x", weight=same),
        made("linear", "b", "fp32", (64, 256), x="a", weight=same),
        made("linear", "c", "fp32", (64, 256), x="b", weight=other),
        made("reshape", "d", "fp32", (32, 2, 256), x="c", shape=np.array([32, 2, 256])),
        made("linear", "y", "fp32", (32, 2, 256), x="d", weight=same),
    )
    plan = compile_function(Function("main", 18, (x,), Block((x,), operations, ("y",))), "fp32")
    given = torch.from_numpy(drawn(64, 256)) / 256
    (found,) = plan.run([given])
    assert packed_weights == [(64, 256), (64, 256), (32, 2, 256)]
    first, third = (torch.from_numpy(each.array) for each in (same, other))
    wanted = given @ first.T @ first.T @ third.T @ first.T
    np.testing.assert_allclose(found.numpy(), wanted.reshape(32, 2, 256).numpy(), rtol=1e-2, atol=1e-2)


def test_weights_are_widened_in_one_room_and_stay_what_they_are() -> None:
    first, second = (torch.from_numpy(drawn(256, 128) + n).half() for n in (0, 1))
    assert contiguous_wide(first).data_ptr() == contiguous_wide(second.T).data_ptr()
    assert torch.equal(contiguous_wide(second.T), second.float().T)
    assert contiguous_wide(second.T).is_contiguous()
    wide = first.float()
    assert contiguous_wide(wide) is wide

    constants = [constant(each.numpy()) for each in (first, second)]
    x = Value("x", TensorType("fp16", (64, 128)))
    operations = tuple(
        made("linear", name, "fp16", (64, 256), x="x", weight=each)
        for name, each in zip("ab", constants, strict=True)
    )
    plan = compile_function(Function("main", 18, (x,), Block((x,), operations, ("a", "b"))), "fp16")
    given = torch.from_numpy(drawn(64, 128)).half()
    for _ in range(2):
        for found, weight in zip(plan.run([given]), (first, second), strict=True):
            np.testing.assert_allclose(
                found.numpy(), (given.float() @ weight.float().T).half().numpy(), rtol=2e-3, atol=2e-2
            )


def test_every_packed_operation_has_a_form_here() -> None:
    assert {kind for kind, _, _ in FORMS.values()} == set(PACKED)


def test_an_lstm_with_another_cell_and_states_that_do_not_fit_stay_with_the_plain_body() -> None:
    kind, shape, constants = FORMS["lstm"]
    _, plan = run((kind, shape, {**constants, "clip": 0.1}), "fp32", np.float32)
    assert list(plan.steps[0].kernel._serves.values()) == [False]
    with pytest.raises(PackageError, match="lstm"):
        run((kind, shape, {**constants, **states(2, 9)}), "fp32", np.float32)


def test_what_is_not_a_number_stays_one() -> None:
    x = drawn(1, 16, 20, 24)
    x[0, 3, 5, 5] = np.nan
    plan = compile_function(single("conv", {"x": x}, FORMS["image"][2], ["fp32"]), "fp32")
    found = plan.run([torch.from_numpy(x)])[0].isnan()
    assert bool(found[0, :, 3:6, 3:6].all())
    assert int(found.sum()) == 32 * 9
