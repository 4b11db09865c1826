"""Builds the source, loads its samples, and runs it once on each."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.errors import SourceError
from coreml_gate.measurements.measurement import problem_of_ending
from coreml_gate.record import ChildEnding, ConversionFacts, NoiseFloor, Problem, SourceFacts
from coreml_gate.wording import counted

if TYPE_CHECKING:
    from torch import Tensor

    from coreml_gate.measurements.bench import Bench
    from coreml_gate.measurements.reference import Reference

PARTS: Final = (SourceFacts, ConversionFacts)
STEPS: Final[Mapping[str, str]] = {"source": "building and running the source"}
CHILD: Final = "model"


def wanted(_: ModelJob) -> bool:
    """Always; nothing can be measured without it."""
    return True


def run(bench: "Bench", log: EventLog) -> None:
    """Load everything, and describe it."""
    log.begin("source")
    reference = bench.reference
    if reference.given is not None:
        log.put(ConversionFacts(status="not-needed", route="none"))
    _refuse_endless(reference)
    _refuse_wrapping(reference)
    log.put(_facts(reference))


def ended(ending: ChildEnding, job: ModelJob) -> Problem:
    """The problem that the source ended the process."""
    return problem_of_ending(ending, job, STEPS["source"], SourceError)


def _refuse_endless(reference: "Reference") -> None:
    """Refuse a source with an output without a finite number, which would equal that of a broken package.

    Raises :class:`SourceError`.
    """
    import numpy as np

    for name in reference.output_names or ():
        values = [outputs[name] for outputs in reference.outputs]
        if all(each.dtype.kind == "f" and each.size and not np.isfinite(each).any() for each in values):
            broken = next((key for key, tensor in _state(reference).items() if tensor.isnan().any()), None)
            raise SourceError(
                f"source `{reference.source.reference}`: output `{name}` is NaN or infinite everywhere, in "
                f"{counted(len(values), 'sample')}" + (f"; its `{broken}` holds NaN." if broken else "."),
                "load the weights of a training that did not diverge, or yield samples that the model takes.",
            )


def _refuse_wrapping(reference: "Reference") -> None:
    """Refuse a source whose 8-bit sums wrap at 256, because Core ML computes with 32 bits.

    Raises :class:`SourceError`.
    """
    import numpy as np

    engine, narrow = reference.engine, reference.samples.narrow
    if engine is None or not narrow:
        return
    for number, (sample, outputs) in enumerate(
        zip(reference.samples.samples, reference.outputs, strict=True)
    ):
        own = {name: value.to(narrow.get(name, value.dtype)) for name, value in sample.items()}
        given = engine.run(own, number)
        if not all(
            np.allclose(given[name], value, 1e-4, 1e-6, equal_nan=True) for name, value in outputs.items()
        ):
            name, kind = next(iter(narrow.items()))
            raise SourceError(
                f"source `{reference.source.reference}` computes in {str(kind).removeprefix('torch.')} with "
                f"`{name}`, and answers sample {number} otherwise in int32, which is what Core ML takes and "
                "computes in.",
                f"widen it first: `{name} = {name}.int()`, or `.float()`.",
            )


def _state(reference: "Reference") -> "Mapping[str, Tensor]":
    """Parameters and buffers by name, without those packed by quantised layers; none for a package."""
    import torch

    state = {} if reference.source.model is None else reference.source.model.state_dict
    known = state() if callable(state) else state
    return {name: value for name, value in known.items() if isinstance(value, torch.Tensor)}


def _facts(reference: "Reference") -> SourceFacts:
    from coreml_gate.comparing.untrained import sensitivity, untrained_signs

    source, samples, outputs = reference.source, reference.samples, reference.outputs
    state = _state(reference)
    varied = (
        sensitivity(name, [output[name] for output in outputs]) for name in reference.output_names or ()
    )
    return SourceFacts(
        kind=source.kind,
        parameters=sum(tensor.numel() for tensor in state.values()),
        samples=len(samples.samples),
        random_samples=samples.random,
        samples_digest=samples.fingerprint,
        untrained_signs=untrained_signs(state),
        sensitivity=tuple(value for value in varied if value is not None),
        images=samples.images,
        floors=tuple(NoiseFloor(output=name, error=error) for name, error in reference.known_floors.items()),
        no_float64=reference.floors.message if isinstance(reference.floors, SourceError) else "",
    )
