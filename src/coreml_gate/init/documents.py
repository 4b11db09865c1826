"""The files that a proposal writes, as text: the configuration, the workflow, and the glue."""

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Final

from coreml_gate.init import glue
from coreml_gate.init.found import InputShape
from coreml_gate.init.proposal import Proposal, ProposedModel

CONFIG: Final = "coreml-gate.toml"
WORKFLOW: Final = ".github/workflows/coreml-gate.yml"
_TEMPLATE: Final = "workflow.yml"
_REQUIREMENTS: Final = "requirements.txt"
_CHECKOUT: Final = "          fetch-depth: 0"


def documents(proposal: Proposal) -> Mapping[str, str]:
    """Each file's text by its path, in the order in which a person wants to read them."""
    functions = tuple(text for model in proposal.models for text in model.glue)
    written = {CONFIG: configuration(proposal)}
    if functions:
        written[glue.FILE] = glue.module_text(functions)
    return {**written, WORKFLOW: workflow(proposal)}


def configuration(proposal: Proposal) -> str:
    """``coreml-gate.toml``, each model below the reasons for it."""
    models = ("\n".join(_model(model)) for model in proposal.models)
    return "\n\n".join(["# All options: docs/configuration.md of coreml-gate.", *models]) + "\n"


def workflow(proposal: Proposal) -> str:
    """The workflow in one step, with the repository's own requirements, and Git LFS where it is used."""
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


def _one_line(text: str) -> str:
    """TOML's comments end at a line's end and hold no control characters."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
