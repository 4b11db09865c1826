"""Converts a model for several deployment targets, each in a child process of its own."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from coreml_gate.config import GateOptions, ModelConfig
from coreml_gate.frozen import changed
from coreml_gate.record import ModelRecord
from coreml_gate.support.report import ModelSupport, TargetSupport, unsupported_operations
from coreml_gate.torch_graph import GRAPH, TorchGraph, read_graph
from coreml_gate.worker.job import Job
from coreml_gate.worker.parent import measure_model
from coreml_gate.worker.process import ProcessLimits

TARGETS = ("iOS15", "iOS16", "iOS17", "iOS18")
_NEWER = re.compile(r"No available version for (\w+) in the \S+ opset")


@dataclass(frozen=True)
class Place:
    """Where models are, where packages may be written, and with which environment children run."""

    root: Path
    folder: Path
    environment: Mapping[str, str]
    on_target: Callable[[str], None]


def support_of(
    model: ModelConfig, options: GateOptions, targets: Sequence[str], place: Place
) -> ModelSupport:
    """The operations that cannot be converted, and how each target goes.

    Nothing but conversion and parity is asked: no evaluation, no changed samples.
    """
    answers: list[TargetSupport] = []
    graph: TorchGraph | None = None
    for target in targets:
        place.on_target(target)
        asked = {"deployment_target": target, "evaluate": None, "adversarial": False}
        job = Job(
            root=place.root,
            record_folder=place.folder / target,
            model=changed(model, **asked),
            closure="",
            max_samples=options.max_samples,
        )
        record = measure_model(job, ProcessLimits(options.step_timeout_s), place.environment, lambda _: None)
        answers.append(answer_of(target, record))
        graph = read_graph(job.folder / GRAPH) or graph
    return ModelSupport(
        model=model.name,
        coremltools=version("coremltools"),
        operations=unsupported_operations(graph),
        targets=tuple(answers),
    )


def answer_of(target: str, record: ModelRecord) -> TargetSupport:
    """What a measured model says of its target."""
    conversion = record.conversion
    if (
        conversion is not None
        and conversion.status in {"converted", "not-needed"}
        and record.package is not None
    ):
        errors = [comparison.relative_error for comparison in record.parity]
        return TargetSupport(
            target=target,
            status="converted",
            size_bytes=record.package.total_bytes,
            error=max(errors, default=None),
        )
    text = "" if conversion is None else conversion.message
    problem = "" if record.problem is None else record.problem.message
    return TargetSupport(
        target=target,
        status="failed",
        newer=tuple(dict.fromkeys(_NEWER.findall(text))),
        message=next(iter((text or problem).splitlines()), ""),
    )
