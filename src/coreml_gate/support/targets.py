"""Converts a model for several deployment targets, each in a child process of its own."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from coreml_gate.children.job import ModelJob
from coreml_gate.config import GateOptions, ModelConfig
from coreml_gate.frozen import changed
from coreml_gate.record import ModelRecord
from coreml_gate.support.report import ModelSupport, TargetSupport, unsupported_operations
from coreml_gate.torch_graph import GRAPH, TorchGraph, read_graph
from coreml_gate.worker.models import measure_model
from coreml_gate.worker.supervisor import Supervisor

TARGETS: Final = ("iOS15", "iOS16", "iOS17", "iOS18")
ONLY: Final = ("source", "conversion", "package", "numbers")
"""What is measured for each target: does it convert, and is it right?"""
_NEWER: Final = re.compile(r"No available version for (\w+) in the \S+ opset")


@dataclass(frozen=True)
class Workspace:
    """Where models are, where packages may be written, and what starts the children."""

    root: Path
    folder: Path
    supervisor: Supervisor
    on_target: Callable[[str], None]


def support_of(
    model: ModelConfig, options: GateOptions, targets: Sequence[str], workspace: Workspace
) -> ModelSupport:
    """The operations that cannot be converted, and how each target goes."""
    answers: list[TargetSupport] = []
    graph: TorchGraph | None = None
    for target in targets:
        workspace.on_target(target)
        job = ModelJob(
            only=ONLY,
            root=workspace.root,
            record_folder=workspace.folder / target,
            model=changed(model, deployment_target=target),
            closure="",
            max_samples=options.max_samples,
        )
        answers.append(answer_of(target, measure_model(job, workspace.supervisor)))
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
