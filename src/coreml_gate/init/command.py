"""``coreml-gate init``: propose a configuration, and write it if the user agrees."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from coreml_gate.arguments import add_json
from coreml_gate.config.load import find_config
from coreml_gate.errors import ConfigError, UsageError
from coreml_gate.gate.git import Repository
from coreml_gate.init import glue
from coreml_gate.init.found import Image, InputShape
from coreml_gate.init.proposal import Proposal, ProposedModel, propose
from coreml_gate.init.scan import scan
from coreml_gate.surroundings import Surroundings

Agree = Callable[[str], bool]
"""Whether the user agrees to one file being written."""
_YES: Final = frozenset({"y", "yes"})
_NOTHING: Final = "nothing was written: run `coreml-gate init --yes`, or answer at a terminal."
CONFIG: Final = "coreml-gate.toml"
WORKFLOW: Final = ".github/workflows/coreml-gate.yml"
_TEMPLATE: Final = "workflow.yml"
_REQUIREMENTS: Final = "requirements.txt"
_CHECKOUT: Final = "          fetch-depth: 0"


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--yes", action="store_true", help="write the files without confirmation")
    add_json(parser, "; write nothing without --yes")
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print the proposal with its reasons, then write each file that does not exist, if the user agrees."""
    root = around.folder
    if (config := _existing_config(root)) is not None:
        if parsed.json:
            around.print_json({"models": [], "notes": [f"{config.name} exists"], "files": {}, "written": []})
        else:
            around.out.print(f"{config.name} exists: nothing to do. `coreml-gate run` measures its models.")
        return 0
    names = Repository.open(root, around.environment).files()
    proposal = propose(scan(root, names))
    if not parsed.json:
        _explain(proposal, around)
    if not proposal.models:
        raise UsageError(
            "found no model that can be built without arguments.",
            "write coreml-gate.toml by hand: `[[model]]` with `name`, `source` and `samples`.",
        )
    agree: Agree = (lambda _: True) if parsed.yes else _question(parsed, around)
    written = write(documents(proposal), root, agree)
    if parsed.json:
        around.print_json(_as_json(proposal, written))
        return 0
    for path in written:
        around.out.print(f"wrote {path}")
    around.out.print("next: `coreml-gate run`" if CONFIG in written else _NOTHING)
    return 0


def write(texts: Mapping[str, str], root: Path, agree: Agree) -> tuple[str, ...]:
    """Write the files that do not exist yet and to which the user agrees; never change existing ones."""
    written: list[str] = []
    for path, text in texts.items():
        file = root / path
        if not file.exists() and agree(path):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            written.append(path)
    return tuple(written)


def _existing_config(root: Path) -> Path | None:
    try:
        return find_config(root, None)
    except ConfigError:
        return None


def _explain(proposal: Proposal, around: Surroundings) -> None:
    for model in proposal.models:
        around.out.print(f"{model.name}: source {model.source.reference}")
        for reason in model.reasons:
            around.out.print(f"  - {reason}")
    for note in proposal.notes:
        around.out.print(f"note: {note}")


def _as_json(proposal: Proposal, written: Sequence[str]) -> object:
    """The proposal, each file as text, and the names of the files written."""
    models = [
        {"name": each.name, "source": each.source.reference, "reasons": list(each.reasons)}
        for each in proposal.models
    ]
    files = dict(documents(proposal))
    return {"models": models, "notes": list(proposal.notes), "files": files, "written": list(written)}


def _question(parsed: argparse.Namespace, around: Surroundings) -> Agree:
    """A question at the terminal; without a terminal, nothing is written."""
    if parsed.json or not around.out.is_terminal:
        return lambda _: False
    return lambda path: around.out.input(f"write {path}? [y/N] ").strip().lower() in _YES


def documents(proposal: Proposal) -> Mapping[str, str]:
    """Each file's text by its path, in reading order."""
    functions = tuple(text for model in proposal.models for text in model.glue)
    written = {CONFIG: configuration(proposal)}
    if functions:
        written[glue.FILE] = glue.module_text(functions)
    return {**written, WORKFLOW: workflow(proposal)}


def configuration(proposal: Proposal) -> str:
    """``coreml-gate.toml``, each model below the reasons for it."""
    models = ("\n".join(_model(model)) for model in proposal.models)
    notes = "\n".join(f"# Not known: {_one_line(note)}" for note in proposal.notes)
    head = "# All options: docs/configuration.md of coreml-gate."
    return "\n\n".join(filter(None, [head, *models, notes])) + "\n"


def workflow(proposal: Proposal) -> str:
    """The workflow in one step, with the repository's own requirements, and with Git LFS if it is used."""
    text = files("coreml_gate.init").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if _REQUIREMENTS not in line or proposal.requirements]
    text = "".join(kept).replace(_REQUIREMENTS, proposal.requirements)
    lfs = f"          lfs: true # weights or packages are kept in Git LFS\n{_CHECKOUT}"
    return text.replace(_CHECKOUT, lfs) if proposal.uses_lfs else text


def _model(model: ProposedModel) -> Iterator[str]:
    yield "[[model]]"
    yield from (f"# {_one_line(reason)}" for reason in model.reasons)
    yield f"name = {json.dumps(model.name)}"
    yield f"source = {json.dumps(model.source.reference)}"
    keys = {
        "samples": model.samples.reference,
        "convert": model.export.convert,
        "package": model.export.package,
        "build": list(model.export.build),
        "deployment-target": model.export.target,
    }
    yield from (f"{key} = {json.dumps(value)}" for key, value in keys.items() if value)
    for each in model.samples.inputs:
        yield ""
        yield from _input(each)


def _input(given: InputShape) -> Iterator[str]:
    yield "[[model.input]]"
    yield f"name = {json.dumps(given.name)}"
    yield f"shape = {list(given.shape)}"
    if given.dtype != "float32":
        yield f"dtype = {json.dumps(given.dtype)}"
    if given.image is not None:
        yield _image(given.image)


def _image(image: Image) -> str:
    """How pixels become what the source takes; a comment if the script computes it."""
    color = image.color or "RGB"
    scale, bias = image.scale, image.bias
    comment = "" if image.is_known else "# "
    shown = list(bias or (0.0,))
    factor = 1.0 if scale is None else scale
    return f'{comment}image = {{ color = "{color}", scale = {factor!r}, bias = {shown} }}'


def _one_line(text: str) -> str:
    """The text as one line, because TOML comments end at a line's end and allow no control characters."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
