"""``coreml-gate plan``: shows which models would be measured, and why."""

import argparse

from coreml_gate.arguments import add_format, add_selection
from coreml_gate.commands.arguments import add_base, add_known, request_of
from coreml_gate.config.load import load_config, select_models
from coreml_gate.frozen import without_collecting
from coreml_gate.gate.plan import make_plan
from coreml_gate.gate.plan_output import FORMATS as PLAN_FORMATS
from coreml_gate.gate.plan_output import as_github_matrix
from coreml_gate.gate.request import open_repository
from coreml_gate.surroundings import Surroundings


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_selection(parser)
    add_base(parser)
    add_known(parser)
    add_format(parser, PLAN_FORMATS, "text")
    parser.add_argument("--shards", type=int, metavar="N", help="with github-matrix: at most N jobs")
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print what would be measured."""
    with without_collecting():
        return _plan(parsed, around)


def _plan(parsed: argparse.Namespace, around: Surroundings) -> int:
    request = request_of(parsed, around)
    config = select_models(load_config(request.root, request.config_file), request.models)
    chosen = make_plan(request, config, open_repository(request, around.environment))
    sharded = parsed.format == "github-matrix" and parsed.shards is not None
    text = as_github_matrix(chosen, parsed.shards) if sharded else PLAN_FORMATS[parsed.format](chosen)
    around.out.print(text, end="")
    return 0
