"""The expressions that replace operations without a converter."""

from collections.abc import Mapping
from typing import Final

REPLACEMENTS: Final[Mapping[str, str]] = {
    "mt": "x.transpose(-2, -1)",
    "mh": "x.transpose(-2, -1)",
    "swapaxes": "x.transpose(0, 1)",
    "movedim": "x.permute(1, 2, 0)",
    "rot90": "x.transpose(0, 1).flip(0)",
    "flipud": "x.flip(0)",
    "channel_shuffle": "x.reshape(b, g, c // g, h, w).transpose(1, 2).reshape(b, c, h, w)",
    "unfold": "torch.stack([x[..., i : i + size] for i in range(0, x.shape[-1] - size + 1, step)], -2)",
    "diag_embed": "x[..., None] * torch.eye(x.shape[-1])",
    "take": "x.flatten()[index]",
    "take_along_dim": "torch.gather(x, dim, index)",
    "index_add": "x.scatter_add(0, index[:, None].expand_as(v), v)",
    "index_copy": "x.scatter(0, index[:, None].expand_as(v), v)",
    "new_ones": "torch.ones(...)",
    "median": "x.sort(dim).values.select(dim, (x.shape[dim] - 1) // 2)",
    "kthvalue": "torch.topk(x, k, dim, largest=False).values.select(dim, k - 1)",
    "msort": "x.sort(0).values",
    "bucketize": "(x[..., None] > boundaries).sum(-1)",
    "isin": "(x[..., None] == v).sum(-1) > 0",
    "count_nonzero": "(x != 0).sum(dim)",
    "cummax": "torch.stack([x[..., : i + 1].amax(-1) for i in range(x.shape[-1])], -1)",
    "cummin": "torch.stack([x[..., : i + 1].amin(-1) for i in range(x.shape[-1])], -1)",
    "aminmax": "x.amin(dim), x.amax(dim)",
    "std_mean": "x.std(dim), x.mean(dim)",
    "var_mean": "x.var(dim), x.mean(dim)",
    "diff": "x[..., 1:] - x[..., :-1]",
    "trapezoid": "(x[..., 1:] + x[..., :-1]).sum(-1) / 2",
    "nansum": "torch.where(torch.isnan(x), 0.0, x).sum(dim)",
    "cdist": "(x[..., :, None, :] - y[..., None, :, :]).pow(2).sum(-1).sqrt()",
    "pairwise_distance": "((x - y + 1e-6) ** 2).sum(-1).sqrt()",
    "vdot": "(x * y).sum()",
    "inner": "x @ y.transpose(-1, -2)",
    "ger": "x[:, None] * y[None]",
    "lerp": "x + weight * (y - x)",
    "addcmul": "x + value * y * z",
    "addcdiv": "x + value * y / z",
    "trunc": "torch.sign(x) * torch.floor(torch.abs(x))",
    "fmod": 'x - y * torch.div(x, y, rounding_mode="trunc")',
    "fmin": "torch.minimum(x, y)",
    "fmax": "torch.maximum(x, y)",
    "copysign": "torch.where(y < 0, -x.abs(), x.abs())",
    "sgn": "torch.sign(x)",
    "signbit": "x < 0",
    "isfinite": 'x.abs() < float("inf")',
    "isinf": 'x.abs() == float("inf")',
    "isclose": "(x - y).abs() <= atol + rtol * y.abs()",
    "heaviside": "torch.where(x == 0, y, (x > 0).float())",
    "hypot": "torch.sqrt(x * x + y * y)",
    "logaddexp": "torch.maximum(x, y) + torch.log(1 + torch.exp(-(x - y).abs()))",
    "xlogy": "torch.where(x == 0, 0.0, x * torch.log(y))",
    "logit": "torch.log(x / (1 - x))",
    "sinc": "torch.where(x == 0, 1.0, torch.sin(math.pi * x) / (math.pi * x))",
    "erfc": "1 - torch.erf(x)",
    "asinh": "torch.log(x + torch.sqrt(x * x + 1))",
    "acosh": "torch.log(x + torch.sqrt(x * x - 1))",
    "deg2rad": "x * (math.pi / 180)",
    "rad2deg": "x * (180 / math.pi)",
    "celu": "torch.relu(x) + torch.clamp(alpha * (torch.exp(x / alpha) - 1), max=0)",
    "logsigmoid": "-F.softplus(-x)",
    "tanhshrink": "x - torch.tanh(x)",
    "hardshrink": "x * (x.abs() > lambd)",
    "softshrink": "torch.sign(x) * torch.relu(x.abs() - lambd)",
    "lgamma": (
        "(x + 0.5) * torch.log(x + 5.5) - x - 5.5 + torch.log(2.5066282746 / x * (1 + 76.18009173 / (x + 1) "
        "- 86.50532033 / (x + 2) + 24.01409824 / (x + 3) - 1.231739572 / (x + 4) + 0.001208650974 / (x + 5)))"
    ),
    "digamma": (
        "torch.log(x + 6) - 0.5 / (x + 6) - 1 / (12 * (x + 6) ** 2) - sum(1 / (x + i) for i in range(6))"
    ),
    "bincount": "(x.flatten() == torch.arange(n)[:, None]).sum(1)",
    "histogram": "((x.flatten() >= edges[:-1, None]) & (x.flatten() < edges[1:, None])).sum(1).float()",
    "histc": "((x.flatten() >= edges[:-1, None]) & (x.flatten() < edges[1:, None])).sum(1).float()",
    "scatter_reduce[reduce=amax]": (
        'torch.where(index[..., None] == torch.arange(n), x[..., None], torch.tensor(float("-inf"))).amax(-2)'
    ),
    "scatter_reduce[reduce=amin]": (
        'torch.where(index[..., None] == torch.arange(n), x[..., None], torch.tensor(float("inf"))).amin(-2)'
    ),
    "scatter_reduce[reduce=sum]": "((index[..., None] == torch.arange(n)) * x[..., None]).sum(-2)",
    "scatter_reduce[reduce=mean]": (
        "((index[..., None] == torch.arange(n)) * x[..., None]).sum(-2) "
        "/ (index[..., None] == torch.arange(n)).sum(-2).clamp(min=1)"
    ),
    "scatter_reduce[reduce=prod]": (
        "torch.where(index[..., None] == torch.arange(n), x[..., None], torch.tensor(1.0)).cumprod(-2)"
        ".select(-2, -1)"
    ),
    "prod": "x.cumprod(dim).select(dim, -1)",
    "i0": "sum((x / 2) ** (2 * i) / float(math.factorial(i)) ** 2 for i in range(20))",
    "i1": (
        "sum((x / 2) ** (2 * i + 1) / float(math.factorial(i) * math.factorial(i + 1)) for i in range(20))"
    ),
    "i0e": (
        "torch.exp(-x.abs()) * sum((x / 2) ** (2 * i) / float(math.factorial(i)) ** 2 for i in range(20))"
    ),
    "i1e": (
        "torch.exp(-x.abs()) * sum((x / 2) ** (2 * i + 1) / float(math.factorial(i) * math.factorial(i + 1)) "
        "for i in range(20))"
    ),
    "bessel_j0": "sum((-1) ** i * (x / 2) ** (2 * i) / float(math.factorial(i)) ** 2 for i in range(20))",
    "bessel_j1": (
        "sum((-1) ** i * (x / 2) ** (2 * i + 1) / float(math.factorial(i) * math.factorial(i + 1)) "
        "for i in range(20))"
    ),
    "spherical_bessel_j0": "torch.where(x == 0, 1.0, torch.sin(x) / x)",
    "erfcx": "torch.exp(x * x) * (1 - torch.erf(x))",
    "polygamma": (
        "(-1) ** (n + 1) * (sum(math.factorial(n) * (x + i) ** -(n + 1) for i in range(6)) + "
        "math.factorial(n - 1) * (x + 6) ** -n + math.factorial(n) * (x + 6) ** -(n + 1) / 2 + "
        "math.factorial(n + 1) * (x + 6) ** -(n + 2) / 12)"
    ),
    "zeta": (
        "sum((y + i) ** -x for i in range(8)) + (y + 8) ** (1 - x) / (x - 1) + (y + 8) ** -x / 2 "
        "+ x * (y + 8) ** (-x - 1) / 12"
    ),
    "logaddexp2": "torch.maximum(x, y) + torch.log(1 + torch.exp2(-(x - y).abs())) / math.log(2)",
    "addbmm": "x + (y @ z).sum(0)",
    "masked_select": "x[mask]",
    "nanmedian": (
        "torch.gather(torch.where(torch.isnan(x), math.inf, x).sort(dim).values, dim, "
        "(((x == x).int().sum(dim, True) - 1) // 2).long()).squeeze(dim)"
    ),
    "put": "x.flatten().scatter(0, index, v).reshape(x.shape)",
    "index_reduce[reduce=amax]": (
        "torch.where((index == torch.arange(x.shape[0])[:, None])[..., None], v, torch.tensor("
        'float("-inf"))).amax(1)'
    ),
    "index_reduce[reduce=amin]": (
        "torch.where((index == torch.arange(x.shape[0])[:, None])[..., None], v, torch.tensor("
        'float("inf"))).amin(1)'
    ),
    "segment_reduce[reduce=sum]": (
        "torch.logical_and(torch.arange(x.shape[0]) < lengths.cumsum(0)[:, None], torch.arange(x.shape[0]) "
        ">= (lengths.cumsum(0) - lengths)[:, None]).float() @ x"
    ),
    "segment_reduce[reduce=mean]": (
        "torch.logical_and(torch.arange(x.shape[0]) < lengths.cumsum(0)[:, None], torch.arange(x.shape[0]) "
        ">= (lengths.cumsum(0) - lengths)[:, None]).float() @ x / lengths[:, None]"
    ),
    "fake_quantize_per_channel_affine": (
        "(torch.clamp(torch.round(x / scale[:, None]) + zero_point[:, None], quant_min, quant_max) "
        "- zero_point[:, None]) * scale[:, None]"
    ),
    "index_fill": "torch.where((torch.arange(x.shape[1]) == index[:, None]).sum(0) > 0, value, x)",
    "mode": ("torch.gather(x, dim, (x[..., None] == x[..., None, :]).sum(-1).argmax(-1, True)).squeeze(dim)"),
    "cov": "(x - x.mean(1, True)) @ (x - x.mean(1, True)).T / (x.shape[1] - 1)",
    "corrcoef": (
        "(x - x.mean(1, True)) @ (x - x.mean(1, True)).T / (x.std(1) * x.std(1)[:, None]) / (x.shape[1] - 1)"
    ),
    "fft_fftshift": "torch.roll(x, (x.shape[-1] // 2,), -1)",
    "fft_ifftshift": "torch.roll(x, (-(x.shape[-1] // 2),), -1)",
    "nanmean": "torch.where(torch.isnan(x), 0.0, x).sum(dim) / (x == x).sum(dim)",
    "__lshift__": "x * 2**n",
    "bitwise_left_shift": "x * 2**n",
    "__rshift__": 'torch.div(x, 2**n, rounding_mode="floor")',
    "bitwise_right_shift": 'torch.div(x, 2**n, rounding_mode="floor")',
    "ldexp": "x * 2.0**y",
    "bilinear": "(x[:, None, None] @ w @ y[:, None, :, None])[..., 0, 0]",
    "max_unpool2d": "F.interpolate(y, scale_factor=2) * (x == F.interpolate(y, scale_factor=2))",
    "exponential": "-torch.log(torch.rand_like(x))",
    "bernoulli": "(torch.rand_like(x) < x).float()",
    "masked_scatter": (
        "torch.where(mask, v.flatten()[(mask.flatten().int().cumsum(0) - 1).clamp(min=0)].reshape(x.shape), "
        "x)"
    ),
    "unique_consecutive": "x[torch.cat([x[:1] == x[:1], x[1:] != x[:-1]])]",
    "bitwise_or": "torch.logical_or(x, y)",
    "bitwise_xor": "torch.logical_xor(x, y)",
    "bitwise_or[whole]": "sum((x // 2**i % 2 + y // 2**i % 2 > 0).int() * 2**i for i in range(16))",
    "bitwise_xor[whole]": "sum((x // 2**i + y // 2**i) % 2 * 2**i for i in range(16))",
    "angle": "torch.atan2(x.imag, x.real)",
    "fft_fft2": "torch.fft.fftn(x, dim=(-2, -1))",
    "fft_ifft2": "torch.fft.ifftn(x, dim=(-2, -1))",
    "fft_rfft2": "torch.fft.rfftn(x, dim=(-2, -1))",
    "fft_irfft2": "torch.fft.irfftn(x, dim=(-2, -1))",
    "embedding_bag": "F.embedding(x, y).sum(1)",
    "embedding_bag[offsets]": (
        "((torch.arange(x.shape[0]) >= offsets[:, None]).sum(0) - 1 == torch.arange(offsets.shape[0])[:, "
        "None]).float() @ F.embedding(x, y)"
    ),
    "embedding_bag[offsets, mode=1]": (
        "((torch.arange(x.shape[0]) >= offsets[:, None]).sum(0) - 1 == torch.arange(offsets.shape[0])[:, "
        "None]).float() @ F.embedding(x, y) / torch.cat([offsets[1:] - offsets[:-1], x.shape[0] - "
        "offsets[-1:]])[:, None]"
    ),
    "embedding_bag[offsets, mode=2]": (
        "torch.where(((torch.arange(x.shape[0]) >= offsets[:, None]).sum(0) - 1 == torch.arange("
        'offsets.shape[0])[:, None])[..., None], F.embedding(x, y), torch.tensor(float("-inf"))).amax(1)'
    ),
    "embedding_bag[mode=1]": "F.embedding(x, y).mean(1)",
    "embedding_bag[mode=2]": "F.embedding(x, y).amax(1)",
    "fake_quantize_per_tensor_affine": (
        "(torch.clamp(torch.round(x / scale) + zero_point, quant_min, quant_max) - zero_point) * scale"
    ),
    "normal": "x + y * torch.randn_like(x)",
}
"""The code to write instead of an operation, by coremltools' name for it.

``x`` and ``y`` are the operands in torch's order, ``v`` values; other names are those of torch's parameters.
Brackets hold a condition on the call: an argument's value, the name of an argument that is given, or
``whole`` for results that are whole numbers. A test compares each with torch's own result, and converts it.
"""
