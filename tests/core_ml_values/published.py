"""What a published value is, and how the runtime's own is found."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from coreml_gate.conversion.quiet import quiet
from coreml_gate.errors import PackageError
from coreml_gate.runtime import load
from coreml_gate.runtime.precision import Mode
from tests.runtime.conftest import run

Unit = Literal["CPU", "GPU", "Neural Engine", "any"]
Answer = Callable[[Mode], NDArray[Any]]
MODES: dict[Unit, Mode] = {"CPU": "fp16", "GPU": "fp16", "Neural Engine": "neural-engine", "any": "fp16"}
"""The mode of the runtime that stands for a unit."""


Evidence = Literal["printed", "test"]
"""``printed``: somebody printed what a device gave. ``test``: the literal expectation of a test that its
owner runs on Core ML, which is proven only as far as that test's own tolerance reaches."""


@dataclass(frozen=True)
class Published:
    """What Core ML gave on a device, and the runtime's answer to the same program.

    ``within`` is half a unit of the last printed digit, or what the source itself allows. ``differs`` says
    why the runtime gives another value; empty where it agrees.
    """

    operation: str
    what: str
    unit: Unit
    system: str
    source: str
    values: Sequence[float]
    answer: Answer = field(repr=False)
    within: float = 0.0
    relative: float = 0.0
    differs: str = ""
    evidence: Evidence = "printed"

    @property
    def id(self) -> str:
        """Operation, case and unit: unique among all."""
        return f"{self.operation}: {self.what} ({self.unit})"

    def agrees(self) -> bool:
        """Does the runtime give the published values?"""
        try:
            found = np.asarray(self.answer(MODES[self.unit]), np.float64).reshape(-1)
        except PackageError:
            return False
        wanted = np.array(self.values, np.float64)
        if found.shape != wanted.shape:
            return False
        return bool(np.allclose(found, wanted, rtol=self.relative, atol=self.within, equal_nan=True))


def half(*numbers: float) -> NDArray[np.float16]:
    """A vector of halves."""
    return np.array(numbers, np.float16)


def wide(*numbers: float) -> NDArray[np.float32]:
    """A vector of float32."""
    return np.array(numbers, np.float32)


def whole(*numbers: int) -> NDArray[np.int32]:
    """A vector of int32."""
    return np.array(numbers, np.int32)


_NAMES = {"float16": "fp16", "float32": "fp32", "int32": "int32"}


def operation(kind: str, gives: str = "", /, *, place: int = 0, opset: int = 18, **arguments: Any) -> Answer:
    """One operation on its own; arrays under ``x``, ``y`` and the like are inputs, the rest are constants."""
    inputs = {name: value for name, value in arguments.items() if isinstance(value, np.ndarray)}
    constants = {name: value for name, value in arguments.items() if name not in inputs}
    given = gives or _NAMES[next(iter(inputs.values())).dtype.name]

    def answer(mode: Mode) -> NDArray[Any]:
        outputs = (given,) if place == 0 else (given,) * place + ("int32",)
        result: NDArray[Any] = run(kind, inputs, constants, outputs, mode, opset)[place]
        return result

    return answer


class _Module(torch.nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:  # whatever the function gives
        return self.function(*inputs)


def converted(
    function: Callable[..., Any],
    *inputs: NDArray[Any],
    route: str = "trace",
    flexible: int | None = None,
    precision: str = "float32",
) -> Answer:
    """A torch function converted by coremltools 9.0; ``flexible`` is an axis of any size."""

    def answer(mode: Mode) -> NDArray[Any]:
        import coremltools as ct  # noqa: PLC0415  # takes seconds

        tensors = tuple(torch.from_numpy(value) for value in inputs)
        module = _Module(function).eval()
        shapes = [
            [ct.RangeDim(1, 64) if axis == flexible else size for axis, size in enumerate(value.shape)]
            for value in inputs
        ]
        with quiet(), tempfile.TemporaryDirectory() as folder:
            captured: Any = (
                torch.jit.trace(module, tensors)  # type: ignore[no-untyped-call]
                if route == "trace"
                else torch.export.export(module, tensors, strict=False).run_decompositions({})
            )
            model = ct.convert(
                captured,
                inputs=[
                    ct.TensorType(f"x{n}", shape, value.dtype)
                    for n, (shape, value) in enumerate(zip(shapes, inputs, strict=True))
                ]
                if route == "trace"
                else None,
                compute_precision=getattr(ct.precision, precision.upper()),
                minimum_deployment_target=ct.target.iOS18,
                skip_model_load=True,
            )
            model.save(f"{folder}/case.mlpackage")
            loaded = load(Path(folder) / "case.mlpackage", mode=mode)
            names = [feature.name for feature in loaded.interface.inputs]
            (result,) = loaded.predict(dict(zip(names, inputs, strict=True))).values()
            return np.asarray(result)

    return answer
