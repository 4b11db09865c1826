"""``compare``: judges two sets of outputs by the gate's rules, wherever they were computed."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch

from coreml_gate.api.options import ModelKeywords, Tables, config_of
from coreml_gate.arrays import Array
from coreml_gate.comparing.compare import compare_all
from coreml_gate.config import Limits
from coreml_gate.criteria import Group, Violation, by_output, engine_violations, least_psnr, parity_violations
from coreml_gate.errors import UsageError
from coreml_gate.record import Comparison, Side
from coreml_gate.verdict import Status, gravest
from coreml_gate.wording import counted, listed

_SIDES: Final[tuple[Side, Side]] = ("reference", "candidate")
AnyOutputs = Mapping[str, object] | Sequence[object] | np.ndarray | torch.Tensor
"""The outputs of one sample: by name, by position, or a single one."""


@dataclass(frozen=True)
class ComparedOutputs:
    """How far apart two sets of outputs are, and which limits they violate."""

    comparisons: tuple[Comparison, ...]
    """The figures of each output of each sample."""
    violations: Mapping[str, tuple[Violation, ...]]
    """Violations by output; empty if there are none."""

    @property
    def status(self) -> Status:
        """``pass``, ``fail``, or ``unsure`` for integers that differ in half precision."""
        found = [each.status for listed in self.violations.values() for each in listed]
        return gravest(found or [Status.PASS])

    @property
    def psnr(self) -> float | None:
        """The lowest PSNR in dB; ``None`` if all outputs are equal."""
        return least_psnr(self.comparisons)

    def __str__(self) -> str:
        return "\n".join(
            f"{name}: {'; '.join(each.message for each in found) if found else 'pass'}"
            for name, found in self.violations.items()
        )

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def compare(
    reference: AnyOutputs,
    candidate: AnyOutputs,
    *,
    precision: Literal["float16", "float32"] = "float16",
    limits: Tables | None = None,
) -> ComparedOutputs:
    """Compare two sets of outputs: shapes, NaN and infinities, then errors.

    Errors are relative to the greatest reference value, while ``np.allclose`` measures cancellation near
    zero.

    :param reference: The outputs of one sample by name, by position, or as a single array; a list of mappings
        for several samples.
    :param candidate: The outputs to judge; matched by position if the names differ.
    :param precision: ``float16`` applies the limits of ``precision`` (30 dB), ``float32`` those of
    ``parity``.
    :param limits: A table ``limits`` as in the configuration: ``{"precision": {"psnr": 40}}``.
    :raises UsageError: The two sides have different numbers of samples or outputs.
    """
    references, candidates = _samples(reference), _samples(candidate)
    if len(references) != len(candidates):
        raise UsageError(
            f"compare(): the reference has {counted(len(references), 'sample')}, the candidate "
            f"{len(candidates)}.",
            "give the outputs of the same samples on both sides.",
        )
    pairs = [_aligned(*pair, number) for number, pair in enumerate(zip(references, candidates, strict=True))]
    compared = compare_all(references, pairs, _SIDES)
    allowed = _limits(limits)
    return ComparedOutputs(
        compared,
        {name: _violations(group, precision, allowed) for name, group in by_output(compared).items()},
    )


def _violations(group: Group, precision: str, limits: Limits) -> tuple[Violation, ...]:
    if precision == "float32":
        return parity_violations(group, limits.parity)
    return engine_violations(group, limits.precision)


def _limits(given: Tables | None) -> Limits:
    options: ModelKeywords = {} if given is None else {"limits": given}
    model = {"name": "outputs", "source": "outputs.pt2"}
    return config_of("compare", model, options).model[0].limits


def _samples(outputs: AnyOutputs) -> list[dict[str, Array]]:
    if isinstance(outputs, list) and outputs and all(isinstance(each, Mapping) for each in outputs):
        return [_named(each) for each in outputs]
    return [_named(outputs)]


def _named(outputs: object) -> dict[str, Array]:
    if isinstance(outputs, Mapping):
        return {str(name): _array(value) for name, value in outputs.items()}
    listed = outputs if isinstance(outputs, tuple | list) else (outputs,)
    return {f"output_{position}": _array(value) for position, value in enumerate(listed)}


def _array(value: object) -> Array:
    if isinstance(value, torch.Tensor):
        wide = value.detach().cpu()
        return (wide.float() if wide.dtype is torch.bfloat16 else wide).numpy()
    return np.asarray(value)


def _aligned(reference: Mapping[str, Array], candidate: Mapping[str, Array], sample: int) -> dict[str, Array]:
    """The candidate under the reference's names."""
    if reference.keys() == candidate.keys():
        return dict(candidate)
    if len(reference) != len(candidate) or not reference.keys().isdisjoint(candidate):
        raise UsageError(
            f"compare(): sample {sample} has the outputs {_listed(reference)} in the reference and "
            f"{_listed(candidate)} in the candidate.",
            "give the same outputs on both sides.",
        )
    return dict(zip(reference, candidate.values(), strict=True))


def _listed(names: Mapping[str, Array]) -> str:
    return listed(names) or "none"
