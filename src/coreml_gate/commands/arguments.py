"""The arguments of commands that measure, and the request made of them."""

import argparse
import posixpath
from pathlib import Path

from coreml_gate.arguments import OUTPUT
from coreml_gate.gate.request import Request
from coreml_gate.surroundings import Surroundings


def add_base(parser: argparse.ArgumentParser) -> None:
    """Add the commit to compare with."""
    parser.add_argument("--base", metavar="COMMIT", help="the commit or branch to compare with")
    parser.add_argument("--allow-dirty", action="store_true", help="measure uncommitted changes too")
    parser.add_argument(
        "--installed",
        action="append",
        default=[],
        metavar="FILE",
        help="requirements that were installed: a change in them changes every model; repeatable",
    )


def add_known(parser: argparse.ArgumentParser) -> None:
    """Add an earlier run, whose Record says which files each model reads."""
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="PATH",
        help="a Record of an earlier run, or its folder, which lists the files that each model reads",
    )


def request_of(parsed: argparse.Namespace, around: Surroundings) -> Request:
    """The request that the arguments make."""
    baseline: Path | None = getattr(parsed, "baseline", None)
    return Request(
        root=around.folder,
        output=around.folder / getattr(parsed, "output", OUTPUT),
        config_file=parsed.config,
        models=tuple(parsed.model),
        base=parsed.base,
        baseline=None if baseline is None else around.folder / baseline,
        allow_dirty=parsed.allow_dirty,
        installed=tuple(posixpath.normpath(file) for file in getattr(parsed, "installed", ())),
        rebuild=getattr(parsed, "rebuild", True),
    )
