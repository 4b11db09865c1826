"""``coreml-gate support MODEL``: shows whether a model converts, and for which deployment targets."""

import argparse
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from coreml_gate.arguments import add_json, add_model
from coreml_gate.children.job import ModelJob
from coreml_gate.children.process import ProcessLimits
from coreml_gate.config import GateOptions, ModelConfig
from coreml_gate.config.load import load_model
from coreml_gate.config.options import DEPLOYMENT_TARGETS
from coreml_gate.errors import UsageError
from coreml_gate.frozen import changed
from coreml_gate.record import ModelRecord
from coreml_gate.support.report import ModelSupport, TargetSupport, as_text, unsupported_operations
from coreml_gate.surroundings import Surroundings
from coreml_gate.torch_graph import GRAPH, TorchGraph, read_graph
from coreml_gate.worker.models import measure_model
from coreml_gate.worker.supervisor import Supervisor

ONLY: Final = ("source", "conversion", "package", "numbers")
"""The measurements for each target: whether it converts, and whether it is correct."""
_NEWER: Final = re.compile(r"No available version for (\w+) in the \S+ opset")


@dataclass(frozen=True)
class Workspace:
    """The repository, a folder for packages, and what starts the children."""

    root: Path
    folder: Path
    supervisor: Supervisor
    on_target: Callable[[str], None]


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument(
        "--targets",
        default=",".join(DEPLOYMENT_TARGETS),
        metavar="LIST",
        help="deployment targets to try; default: %(default)s",
    )
    add_json(parser)
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Convert for each target, and print the results; 1 if none works."""
    targets = tuple(filter(None, parsed.targets.split(",")))
    unknown = [target for target in targets if target not in DEPLOYMENT_TARGETS]
    if unknown or not targets:
        raise UsageError(
            f"`--targets` names `{(*unknown, parsed.targets)[0]}`.",
            f"the targets are {', '.join(DEPLOYMENT_TARGETS)}.",
        )
    config, model = load_model(around.folder, parsed.config, parsed.model)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(
            around.folder,
            Path(folder),
            Supervisor(around.environment, ProcessLimits(config.gate.step_timeout_s), start=around.start),
            lambda target: around.err.print(f"converting for {target}"),
        )
        support = support_of(model, config.gate, sorted(targets), workspace)
    text = support.model_dump_json(indent=1) if parsed.json else as_text(support)
    around.out.print(text)
    return 0 if support.lowest is not None else 1


def support_of(
    model: ModelConfig, options: GateOptions, targets: Sequence[str], workspace: Workspace
) -> ModelSupport:
    """The operations that cannot be converted, and the result of each target."""
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
    """The result of one target, from the model measured for it."""
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
