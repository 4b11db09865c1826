"""What the parent asks of a child process, as the one file that both read."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

from coreml_gate.config import ModelConfig

EVENTS_FILE = "events.jsonl"
"""A child's report, in the folder of its job."""
LOG_FILE = "log.txt"
"""A child's output, beside it."""
MODELS_FOLDER = "models"
VARIANTS_FOLDER = "variants"

Step = Literal[
    "start",
    "source",
    "convert",
    "measure",
    "evaluate",
    "diagnose",
    "litert",
    "compile",
    "load",
    "predict",
    "time",
    "plan",
    "connect",
]
"""What a child does; each step has its own deadline. The last six are those of children that use Core ML."""


class Job(BaseModel):
    """One model of one tree, to be measured."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    root: Path
    """The tree to measure: the work tree, or a worktree of the base commit."""
    record_folder: Path
    """Where the Record will lie: paths in it are relative to this folder."""
    model: ModelConfig
    closure: str
    """Digest of the source files, part of the conversion's cache key."""
    max_samples: PositiveInt
    cache: Path | None = None
    variants: tuple[ModelConfig, ...] = ()
    """Other packages of the same source, as models of their own: one run of the source serves them all."""
    variant_of: str | None = None
    """The model of which this one, with a source of its own, is a variant."""

    @property
    def folder(self) -> Path:
        """Where this model's packages, events and log go; made by the parent."""
        models = self.record_folder / MODELS_FOLDER
        if self.variant_of is None:
            return models / self.model.name
        return models / self.variant_of / VARIANTS_FOLDER / self.model.name

    def folder_of(self, variant: str) -> Path:
        """Where the packages of one of the variants go."""
        return self.folder / VARIANTS_FOLDER / variant

    @property
    def events(self) -> Path:
        """The file to which the child reports."""
        return self.folder / EVENTS_FILE

    @property
    def log(self) -> Path:
        """The file that takes the child's output."""
        return self.folder / LOG_FILE
