"""``coreml-gate support MODEL``: can it be converted, and for which phones?"""

import argparse
import tempfile
from pathlib import Path

from coreml_gate.children.process import ProcessLimits
from coreml_gate.config.load import load_config, select_models
from coreml_gate.errors import UsageError
from coreml_gate.support.report import as_text
from coreml_gate.support.targets import TARGETS, Workspace, support_of
from coreml_gate.surroundings import Surroundings
from coreml_gate.worker.supervisor import Supervisor


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", help="the model's name in the configuration")
    parser.add_argument("--targets", default=",".join(TARGETS), metavar="LIST", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: coreml-gate.toml")
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Convert for each target, and print what came of it; 1 when none works."""
    targets = tuple(filter(None, parsed.targets.split(",")))
    unknown = [target for target in targets if target not in TARGETS]
    if unknown or not targets:
        raise UsageError(
            f"`--targets` names `{(*unknown, parsed.targets)[0]}`.", f"the targets are {', '.join(TARGETS)}."
        )
    config = select_models(load_config(around.folder, parsed.config), [parsed.model])
    (model,) = config.model
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(
            around.folder,
            Path(folder),
            Supervisor(around.environment, ProcessLimits(config.gate.step_timeout_s), start=around.start),
            lambda target: around.err.print(f"converting for {target}", markup=False, highlight=False),
        )
        support = support_of(model, config.gate, sorted(targets), workspace)
    text = support.model_dump_json(indent=1) if parsed.json else as_text(support)
    around.out.print(text, markup=False, highlight=False)
    return 0 if support.lowest is not None else 1
