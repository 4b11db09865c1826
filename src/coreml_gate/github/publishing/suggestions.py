"""A repair that is a line of the configuration, as a suggestion that one click on GitHub applies.

The operations that a repair names come from an untrusted Record, the line that is replaced from the
pull request. So names have to be plain, the edit is proven (:mod:`coreml_gate.config.edit`), and lines that
could leave their code block or hide something in it are not shown.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, ValidationError

from coreml_gate.config.edit import Edit, Key, Value, edit_of
from coreml_gate.config.options import ModelName
from coreml_gate.foreign import escape
from coreml_gate.frozen import FrozenModel
from coreml_gate.github.api.pull_request import ConfigText
from coreml_gate.verdict import Finding, ModelVerdict, Status, Verdict

MAX_SUGGESTIONS: Final = 10
"""On one pull request: each is a request that writes, and GitHub wants a second between them."""
_HINT_LIMIT: Final = 600

Pattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.*?!\[\]/-]{1,200}$")]
"""Of ``keep-fp32``: classes, types and names of operations, and globs."""
Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=50)]


@dataclass(frozen=True)
class Suggestion:
    """One comment on lines of the configuration."""

    marker: str
    """How its comment begins, by which a later run finds it again."""
    path: str
    edit: Edit
    body: str
    """The whole comment, the marker included."""


class _Patched(FrozenModel):
    """The keys of a model's table that a patch may set: one of them."""

    name: ModelName
    keep_fp32: Patterns | None = Field(default=None, alias="keep-fp32")
    conversion: Literal["export", "decomposed", "trace"] | None = None

    def setting(self) -> tuple[Key, Value] | None:
        """The key and its value."""
        match self.keep_fp32, self.conversion:
            case tuple() as patterns, None:
                return "keep-fp32", patterns
            case None, str() as route:
                return "conversion", route
            case _:
                return None


def marker(key: str) -> str:
    """How all suggestions of one key begin."""
    return f"<!-- coreml-gate-suggestion: {key} "


def has_patches(verdict: Verdict) -> bool:
    """Whether anything might be suggested."""
    return any(_is_wanted(finding) for model in verdict.models for finding in model.findings)


def suggestions_of(verdict: Verdict, config: ConfigText, key: str) -> tuple[Suggestion, ...]:
    """One suggestion a model at most, of its first finding that has one: parity comes before precision."""
    found = (next(_of_model(model, config, key), None) for model in verdict.models)
    return tuple(islice((each for each in found if each is not None), MAX_SUGGESTIONS))


def _of_model(model: ModelVerdict, config: ConfigText, key: str) -> Iterator[Suggestion]:
    for finding in model.findings:
        setting = _setting(model.name, finding) if _is_wanted(finding) else None
        edit = None if setting is None else edit_of(config.text, config.path, model.name, *setting)
        if edit is not None and all(map(_is_harmless, edit.lines)):
            mark = f"{marker(key)}{model.name} -->"
            path = str(PurePosixPath(config.path))
            yield Suggestion(mark, path, edit, _body(mark, model.name, finding, edit))


def _is_wanted(finding: Finding) -> bool:
    blames = finding.status in (Status.WARN, Status.FAIL) and finding.accepted is None
    return blames and finding.patch != ()


def _setting(model: str, finding: Finding) -> tuple[Key, Value] | None:
    """What a patch sets of this model; ``None`` for one that is not of the form that checks write."""
    try:
        match tomllib.loads("\n".join(finding.patch)):
            case {"model": [table], **others} if not others:
                patched = _Patched.model_validate(table)
                return patched.setting() if patched.name == model else None
            case _:
                return None
    except (tomllib.TOMLDecodeError, ValidationError):
        return None


def _is_harmless(line: str) -> bool:
    """Whether a line shows all that it holds, and cannot end the block that it stands in."""
    spaced = line.replace("\t", " ")
    return escape.visible(spaced) == spaced and "`" not in line


def _body(mark: str, model: str, finding: Finding, edit: Edit) -> str:
    about = f"**coreml-gate**: {escape.code(finding.check)} of {escape.code(model)} can be repaired here:"
    hint = escape.message(finding.hint, _HINT_LIMIT)
    return "\n".join((mark, f"{about} {hint}", "", "```suggestion", *edit.lines, "```", ""))
