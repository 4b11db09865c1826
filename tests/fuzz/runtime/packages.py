"""Random packages that coremltools builds and saves, run at several shapes from arrays of any kind."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder
from coremltools.converters.mil.mil import get_new_symbol

from coreml_gate.runtime import Model, load
from tests.fuzz.runtime.comparing import DivergedError

_CHANNELS = 8
_Part = Callable[[np.random.Generator, Any], Any]


def _drawn(rng: np.random.Generator, *shape: int) -> Any:
    return (rng.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))).astype(np.float32)


def _conv(rng: np.random.Generator, x: Any) -> Any:
    weight = _drawn(rng, _CHANNELS, _CHANNELS, *(int(each) for each in rng.choice([1, 3], 2)))
    return Builder.conv(x=x, weight=weight, bias=_drawn(rng, 1, _CHANNELS)[0], pad_type="same")


def _mean(x: Any) -> Any:
    return Builder.reduce_mean(x=x, axes=[2, 3], keep_dims=True)


def _turned(x: Any) -> Any:
    return Builder.transpose(x=x, perm=[0, 1, 3, 2])


_PARTS: Mapping[str, _Part] = {
    "conv": _conv,
    "relu": lambda rng, x: Builder.relu(x=_conv(rng, x)),
    "relu6": lambda rng, x: Builder.relu6(x=_conv(rng, x)),
    "residual": lambda rng, x: Builder.add(x=x, y=_conv(rng, Builder.relu(x=_conv(rng, x)))),
    "twice": lambda rng, x: Builder.add(x=x, y=x),
    "gate": lambda rng, x: Builder.mul(x=x, y=Builder.sigmoid(x=_mean(x))),
    "turned": lambda _, x: _turned(Builder.tanh(x=_turned(x))),
    "softmax": lambda _, x: Builder.softmax(x=x, axis=1),
    "swish": lambda rng, x: Builder.silu(x=_conv(rng, x)),
}  # fmt: skip


def save(rng: np.random.Generator, path: Path) -> list[tuple[int, ...]]:
    """A package with an input of one shape, of several, or of any; the shapes to run it at."""
    fixed = (1, _CHANNELS, 6, 6)
    kind = str(rng.choice(["fixed", "enumerated", "range"]))
    shapes: list[tuple[int, ...]] = (
        [fixed] if kind == "fixed" else [fixed, (1, _CHANNELS, 9, 4), (2, _CHANNELS, 6, 6)]
    )
    open_shape = tuple(
        get_new_symbol() if kind != "fixed" and place != 1 else size for place, size in enumerate(fixed)
    )
    chosen = rng.choice(tuple(_PARTS), int(rng.integers(3, 8)))

    def body(x: Any, other: Any) -> Any:
        value = Builder.mul(x=x, y=other) if rng.random() < 0.5 else Builder.add(x=x, y=1.0)
        results = []
        for name in chosen:
            value = _PARTS[str(name)](rng, value)
            results += [value] if rng.random() < 0.2 else []
        return (*results, Builder.identity(x=value, name="y"))

    specs = [Builder.TensorSpec(open_shape) for _ in range(2)]
    target = ct.target.iOS18 if kind == "enumerated" else ct.target.iOS17
    program = Builder.program(input_specs=specs, opset_version=target)(body)
    half = ct.precision.FLOAT16 if rng.random() < 0.5 else ct.precision.FLOAT32
    options: dict[str, Any] = {"compute_precision": half, "minimum_deployment_target": target}
    if kind == "enumerated":
        options["inputs"] = [
            ct.TensorType(name, shape=ct.EnumeratedShapes(shapes, default=fixed)) for name in ("x", "other")
        ]
    if kind == "range":
        ranged = (
            ct.RangeDim(1, 3, default=1),
            _CHANNELS,
            ct.RangeDim(1, 16, default=6),
            ct.RangeDim(1, 16, default=6),
        )
        options["inputs"] = [ct.TensorType(name, shape=ranged) for name in ("x", "other")]
    ct.convert(program, skip_model_load=True, **options).save(str(path))
    return shapes


def check(rng: np.random.Generator, path: Path, shapes: list[tuple[int, ...]], mode: Any) -> None:
    """Every shape gives the bits that it gives alone, in any order, watched or not, from arrays of any kind.

    :raises DivergedError: It does not.
    """
    model = load(path, mode=mode)
    drawn = [tuple(rng.standard_normal(shape).astype(np.float32) for _ in range(2)) for shape in shapes]
    alone = [_run(load(path, mode=mode), *pair) for pair in drawn]
    for place in [int(each) for each in rng.integers(0, len(shapes), 4)]:
        for kind, change in _KINDS.items():
            x, other = drawn[place]
            _demand(f"{kind} at {shapes[place]}", _run(model, change(x), other), alone[place])
        watched = model.predict(dict(zip(("x", "other"), drawn[place], strict=True)), observe=lambda *_: None)
        _demand(f"watched at {shapes[place]}", watched, alone[place])
    same = drawn[0][0]
    _demand("one array for both", _run(model, same, same), _run(model, same.copy(), same.copy()))


def _run(model: Model, x: Any, other: Any) -> dict[str, Any]:
    """The second of two predictions, which has to leave its arrays as they are."""
    before = x.copy(), other.copy()
    model.predict({"x": x, "other": other})
    found = model.predict({"x": x, "other": other})
    if not all(np.array_equal(one, two) for one, two in zip(before, (x, other), strict=True)):
        raise DivergedError("an input was changed")
    if any(np.shares_memory(value, given) for value in found.values() for given in (x, other)):
        raise DivergedError("an output is an input")
    return found


def _misaligned(x: Any) -> Any:
    room = np.zeros(x.nbytes + 64, np.uint8)
    view = room[4 : 4 + x.nbytes].view(np.float32).reshape(x.shape)
    view[:] = x
    return view


def _frozen(x: Any) -> Any:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "dense": lambda x: x,
    "Fortran's order": np.asfortranarray,
    "every second": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "backwards": lambda x: x[..., ::-1].copy()[..., ::-1],
    "misaligned": _misaligned,
    "read only": _frozen,
    "float64": lambda x: x.astype(np.float64),
}


def _demand(what: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for name, value in wanted.items():
        if found[name].shape != value.shape or not np.array_equal(
            found[name].view(np.int32), value.view(np.int32)
        ):
            raise DivergedError(f"{what}: `{name}` differs by {np.abs(found[name] - value).max():.2g}")
