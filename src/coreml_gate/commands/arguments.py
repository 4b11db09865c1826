"""Arguments that several commands share, and the request made of them."""

import argparse
from pathlib import Path
from typing import Final

from coreml_gate.gate.request import Request
from coreml_gate.surroundings import Surroundings

DEFAULT_OUTPUT: Final = Path(".coreml-gate")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the configuration and the choice of models."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="default: coreml-gate.toml, then pyproject.toml"
    )
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME", help="only this model; repeatable"
    )


def add_base(parser: argparse.ArgumentParser) -> None:
    """Add the commit to compare with."""
    parser.add_argument("--base", metavar="COMMIT", help="the commit or branch to compare with")
    parser.add_argument("--allow-dirty", action="store_true", help="measure uncommitted changes as well")


def add_known(parser: argparse.ArgumentParser) -> None:
    """Add an earlier run, whose Record says which files each model reads."""
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="PATH",
        help="a Record of an earlier run, or its folder: it lists the files that each model reads",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the output folder."""
    parser.add_argument(
        "--output", type=Path, default=DEFAULT_OUTPUT, metavar="DIR", help="default: %(default)s"
    )


def add_core_ml(parser: argparse.ArgumentParser) -> None:
    """Add the choice between Core ML, the stand-in and neither."""
    parser.add_argument(
        "--core-ml",
        choices=("auto", "off", "stand-in"),
        default="auto",
        help="auto: run Core ML on a Mac; stand-in: run the same steps with the MIL runtime, whose numbers "
        "and times are not Core ML's; default: %(default)s",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``: the answer as one JSON document."""
    parser.add_argument("--json", action="store_true", help="print JSON, for machines")


def request_of(parsed: argparse.Namespace, around: Surroundings) -> Request:
    """The request that the arguments make."""
    baseline: Path | None = getattr(parsed, "baseline", None)
    return Request(
        root=around.folder,
        output=around.folder / getattr(parsed, "output", DEFAULT_OUTPUT),
        config_file=parsed.config,
        models=tuple(parsed.model),
        base=parsed.base,
        baseline=None if baseline is None else around.folder / baseline,
        allow_dirty=parsed.allow_dirty,
        rebuild=getattr(parsed, "rebuild", True),
    )
