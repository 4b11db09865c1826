"""One public report, rebuilt: a small model, and what the gate has to say about it."""

import contextlib
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from coreml_gate.children.job import ModelJob
from coreml_gate.config import Config, ModelConfig
from coreml_gate.gate.judge import judge
from coreml_gate.verdict import BaselineFacts, Finding, ModelVerdict, Status
from tests.builders import record
from tests.reported import measured

KINDS: Final[Mapping[str, str]] = {
    "A": "packages of classifiers",
    "B": "shapes that the interface allows",
    "C": "scale and bias of images",
    "D": "another package than the documented conversion gives",
    "E": "Core ML computes otherwise than torch",
    "F": "packages that Core ML refuses to load or to plan",
    "G": "rounding that is no fault",
    "H": "hints with a precondition",
    "I": "refused conversions",
    "J": "models that must be measured",
    "K": "rules on sound code",
    "L": "the right cause first",
    "M": "small things",
    "N": "half precision names its operation",
    "S": "sound models",
}
NOWHERE: Final = BaselineFacts(origin="none", commit="", present=False)
_BY_NAME: Final = {status.value: status for status in Status}
_SILENT: Final = (Status.PASS, Status.SKIPPED)
_FILE: Final = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
{setup}

    def forward(self, {takes}):
{forward}


def build():
    return Net().eval()


def samples():
    g = torch.Generator().manual_seed(1)
{samples}


{tail}
"""
LINE: Final = 13
"""Of the first line of forward, where ``setup`` is one line."""


@dataclass(frozen=True)
class Said:
    """One finding that must be there: its check, its status, and words of its message or its hint."""

    check: str
    status: str
    words: tuple[str, ...]

    def is_in(self, findings: Sequence[Finding]) -> bool:
        """Whether a finding says all of it."""
        return any(
            finding.check == self.check
            and finding.status is _BY_NAME[self.status]
            and all(word in f"{finding.message}\n{finding.hint}" for word in self.words)
            for finding in findings
        )

    def __str__(self) -> str:
        return f"{self.status} {self.check}: {', '.join(self.words)}"


def fails(check: str, *words: str) -> Said:
    """A failure, by words that name the cause, the place and the way out."""
    return Said(check, "fail", words)


def warns(check: str, *words: str) -> Said:
    """A warning."""
    return Said(check, "warn", words)


def normal(shape: str, times: str = "") -> str:
    """The body of ``samples`` that yields four of these."""
    return f"for _ in range(4): yield torch.randn({shape}, generator=g){times}"


@dataclass(frozen=True)
class Case:
    """A model of a kind; without ``says`` it is sound, and nothing may be said against it."""

    name: str
    kind: str
    forward: str
    samples: str
    says: tuple[Said, ...] = ()
    report: str = ""
    """``owner/repository#number``; empty for a further model of the kind."""
    setup: str = "pass"
    takes: str = "x"
    notes: tuple[str, ...] = ()
    """Words that the notes must hold."""
    options: Mapping[str, Any] = field(default_factory=dict)
    script: str = ""
    """The team's ``export.py``."""
    tail: str = ""
    """What else stands in the file that builds the model."""
    first_run: Literal["", "right", "wrong"] = ""
    """Of a model that was written, with its right result, before it was run: how the first run was."""
    not_right: str = ""
    """Why it is not right yet; it must be empty once it is."""
    quick: bool = False
    """Whether it is one of the few that run with every change."""

    @property
    def text(self) -> str:
        """The file that builds the model."""
        parts = {
            "setup": textwrap.indent(self.setup.strip(), " " * 8),
            "forward": textwrap.indent(self.forward.strip(), " " * 8),
            "samples": textwrap.indent(self.samples.strip(), " " * 4),
        }
        return _FILE.format(takes=self.takes, tail=self.tail, **parts).rstrip() + "\n"


def verdict_on(case: Case, folder: Path) -> ModelVerdict:
    """The model measured in this process, without a baseline, and judged by the default limits."""
    (folder / "net.py").write_text(case.text, encoding="utf-8")
    if case.script:
        (folder / "export.py").write_text(case.script, encoding="utf-8")
    model = ModelConfig.model_validate(
        {"name": case.name, "source": "net.py:build", "samples": "net.py:samples", **case.options}
    )
    job = ModelJob(root=folder, record_folder=folder / "out", model=model, closure="abc", max_samples=16)
    job.folder.mkdir(parents=True)
    with warnings.catch_warnings(), contextlib.chdir(folder):
        warnings.simplefilter("ignore")
        head = record(measured(job, case.name))
    return judge(Config(model=(model,)), head, None, NOWHERE).models[0]


def complaints(case: Case, verdict: ModelVerdict) -> tuple[str, ...]:
    """What is not right about a verdict; nothing where it is right for the right reason."""
    said_against = [finding for finding in verdict.findings if finding.status not in _SILENT]
    missing = [f"not said: {said}" for said in case.says if not said.is_in(verdict.findings)]
    silent = [
        f"no note holds {word}" for word in case.notes if not any(word in note for note in verdict.notes)
    ]
    checks = {said.check for said in case.says}
    blamed = [
        f"{finding.status.value} {finding.check}: {finding.message}"
        for finding in said_against
        if finding.check not in checks and (finding.status is Status.FAIL or not case.says)
    ]
    return (*missing, *silent, *blamed)
