"""``coreml-gate init``: propose a configuration, and write it where the user agrees."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from coreml_gate.config.load import find_config
from coreml_gate.errors import ConfigError, UsageError
from coreml_gate.gate.git import Repository
from coreml_gate.init.documents import CONFIG, documents
from coreml_gate.init.proposal import Proposal, propose
from coreml_gate.init.scan import scan
from coreml_gate.surroundings import Surroundings

Agree = Callable[[str], bool]
"""Whether the user agrees to one file being written."""
_YES: Final = frozenset({"y", "yes"})
_NOTHING: Final = "nothing was written: run `coreml-gate init --yes`, or answer at a terminal."


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--yes", action="store_true", help="write the files without a question")
    parser.add_argument("--json", action="store_true", help="for machines; writes nothing without --yes")
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print what is proposed and why, then write each file that does not exist and that the user wants."""
    root = around.folder
    if (config := _existing_config(root)) is not None:
        if parsed.json:
            around.print_json({"models": [], "notes": [f"{config.name} exists"], "files": {}, "written": []})
        else:
            _say(around, f"{config.name} exists: nothing to do. `coreml-gate run` measures its models.")
        return 0
    names = Repository.open(root, around.environment).files()
    proposal = propose(scan(root, names))
    if not parsed.json:
        _explain(proposal, around)
    if not proposal.models:
        raise UsageError(
            "no model was found that the gate could build without arguments.",
            "write coreml-gate.toml by hand: `[[model]]` with `name`, `source` and `samples`.",
        )
    agree: Agree = (lambda _: True) if parsed.yes else _question(parsed, around)
    written = write(documents(proposal), root, agree)
    if parsed.json:
        around.print_json(_as_json(proposal, written))
        return 0
    for path in written:
        _say(around, f"wrote {path}")
    _say(around, "next: `coreml-gate run`" if CONFIG in written else _NOTHING)
    return 0


def write(texts: Mapping[str, str], root: Path, agree: Agree) -> tuple[str, ...]:
    """Write the files that are not there yet and are agreed to; what exists is never changed."""
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
        _say(around, f"{model.name}: source {model.source.reference}")
        for reason in model.reasons:
            _say(around, f"  - {reason}")
    for note in proposal.notes:
        _say(around, f"note: {note}")


def _as_json(proposal: Proposal, written: Sequence[str]) -> object:
    """What is proposed, each file as text, and which of them were written."""
    models = [
        {"name": each.name, "source": each.source.reference, "reasons": list(each.reasons)}
        for each in proposal.models
    ]
    files = dict(documents(proposal))
    return {"models": models, "notes": list(proposal.notes), "files": files, "written": list(written)}


def _question(parsed: argparse.Namespace, around: Surroundings) -> Agree:
    """A question at the terminal; without one, nothing is written."""
    if parsed.json or not around.out.is_terminal:
        return lambda _: False
    return lambda path: around.out.input(f"write {path}? [y/N] ", markup=False).strip().lower() in _YES


def _say(around: Surroundings, text: str) -> None:
    around.out.print(text, markup=False, highlight=False)
