from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from coreml_gate.runtime.ops.padding import window_padding
from tests.runtime.conftest import RunOperation

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def arrays(rng: np.random.Generator, *shapes: tuple[int, ...]) -> Any:
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_one_place_of_a_kernel_of_one_is_a_matrix_product(
    rank: int, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    """Not where the kernel has groups or the place is padded: those results have another size or sum."""
    x, weight, halved, bias = arrays(rng, (2, 4), (6, 4), (6, 2), (6,))
    ones = (1,) * rank
    placed = {"x": x.reshape(2, 4, *ones)}
    constants = {"weight": weight.reshape(6, 4, *ones), "bias": bias}
    (found,) = run_operation("conv", placed, constants)
    np.testing.assert_allclose(found, (x @ weight.T + bias).reshape(2, 6, *ones), **CLOSE)
    padded = {**constants, "pad_type": "custom", "pad": [1, 0] * rank}
    (found,) = run_operation("conv", placed, padded)
    assert found.shape == (2, 6, *(2,) * rank)
    grouped = {"weight": halved.reshape(6, 2, *ones), "groups": 2}
    (found,) = run_operation("conv", placed, grouped)
    wanted = np.concatenate((x[:, :2] @ halved[:3].T, x[:, 2:] @ halved[3:].T), 1)
    np.testing.assert_allclose(found, wanted.reshape(2, 6, *ones), **CLOSE)


@pytest.mark.parametrize(
    ("rank", "options"),
    [
        (1, {"strides": [2], "dilations": [2], "pad_type": "valid"}),
        (2, {"strides": [2, 1], "pad": [1, 2, 0, 1], "pad_type": "custom", "groups": 2}),
        (2, {"pad": [1, 1, 2, 2], "pad_type": "custom", "dilations": [2, 1]}),
        (3, {"pad": [1, 0, 0, 1, 1, 1], "pad_type": "custom"}),
    ],
)
def test_conv_pads_before_and_after_each_axis(
    rank: int, options: dict[str, Any], run_operation: RunOperation, rng: np.random.Generator
) -> None:
    x, weight, bias = arrays(
        rng, (2, 4, *(9, 8, 7)[:rank]), (6, 4 // options.get("groups", 1), *(3, 2, 3)[:rank]), (6,)
    )
    pad = options.get("pad", [0] * 2 * rank)
    padded = np.pad(x, [(0, 0), (0, 0), *zip(pad[::2], pad[1::2], strict=True)])
    conv = (functional.conv1d, functional.conv2d, functional.conv3d)[rank - 1]
    wanted = conv(
        *map(torch.from_numpy, (padded, weight, bias)),
        options.get("strides", 1),
        0,
        options.get("dilations", 1),
        options.get("groups", 1),
    )
    (found,) = run_operation("conv", {"x": x}, {"weight": weight, "bias": bias, **options})
    np.testing.assert_allclose(found, wanted, **CLOSE)


@pytest.mark.parametrize(
    ("pad_type", "wanted"), [("same", ((0, 1), (1, 1))), ("same_lower", ((1, 0), (1, 1)))]
)
def test_same_padding_gives_size_over_stride_windows(pad_type: str, wanted: Any) -> None:
    assert window_padding(pad_type, None, (6, 7), (3, 3), (2, 2), (1, 1)) == wanted


@pytest.mark.parametrize(
    ("options", "torch_options"),
    [
        ({"strides": [2, 2], "pad_type": "valid"}, {"stride": 2}),
        (
            {"strides": [2, 3], "pad_type": "custom", "pad": [1, 1, 0, 0]},
            {"stride": (2, 3), "padding": (1, 0)},
        ),
        (
            {"strides": [2, 2], "pad_type": "custom", "pad": [1, 1, 1, 1], "output_shape": [2, 6, 10, 12]},
            {"stride": 2, "padding": 1, "output_padding": 1},
        ),
        ({"dilations": [2, 1], "groups": 2, "pad_type": "valid"}, {"dilation": (2, 1), "groups": 2}),
    ],
)
def test_conv_transpose_equals_torch(
    options: dict[str, Any],
    torch_options: dict[str, Any],
    run_operation: RunOperation,
    rng: np.random.Generator,
) -> None:
    groups = options.get("groups", 1)
    x, weight, bias = arrays(rng, (2, 4, 5, 6), (4, 6 // groups, 3, 3), (6,))
    wanted = functional.conv_transpose2d(*map(torch.from_numpy, (x, weight, bias)), **torch_options)
    (found,) = run_operation("conv_transpose", {"x": x}, {"weight": weight, "bias": bias, **options})
    np.testing.assert_allclose(found, wanted, **CLOSE)


def test_conv_transpose_crops_unevenly_and_same_gives_size_times_stride(
    run_operation: RunOperation, rng: np.random.Generator
) -> None:
    x, weight = arrays(rng, (1, 2, 5), (2, 3, 4))
    whole = functional.conv_transpose1d(torch.from_numpy(x), torch.from_numpy(weight), stride=2)
    (uneven,) = run_operation(
        "conv_transpose", {"x": x}, {"weight": weight, "strides": [2], "pad_type": "custom", "pad": [2, 1]}
    )
    (same,) = run_operation(
        "conv_transpose", {"x": x}, {"weight": weight, "strides": [2], "pad_type": "same"}
    )
    np.testing.assert_allclose(uneven, whole[..., 2:-1], **CLOSE)
    np.testing.assert_allclose(same, whole[..., 1:-1], **CLOSE)
    assert same.shape[-1] == 2 * x.shape[-1]


def test_half_conv_rounds_once_at_the_end(run_operation: RunOperation, rng: np.random.Generator) -> None:
    x, weight = (item.astype(np.float16) for item in arrays(rng, (1, 64, 5, 5), (8, 64, 3, 3)))
    wanted = functional.conv2d(torch.from_numpy(x).float(), torch.from_numpy(weight).float()).half()
    (found,) = run_operation("conv", {"x": x}, {"weight": weight}, ("fp16",))
    np.testing.assert_array_equal(found, wanted)
