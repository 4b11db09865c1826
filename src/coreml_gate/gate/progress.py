"""The callbacks through which the gate reports progress; the command line decides how that looks."""

from typing import Protocol

from coreml_gate.record import ModelRecord


class ModelProgress(Protocol):
    """Receives a callback for each step of one model."""

    def begin_step(self, step: str) -> None:
        """A step begins."""

    def advance(self, detail: str) -> None:
        """How far the step is: ``312 of 1,000 predictions``."""

    def end(self, model: ModelRecord, seconds: float) -> None:
        """The model is done, with what was measured."""


class Progress(Protocol):
    """Receives a callback for each model."""

    def begin_model(self, name: str, tree: str, *, alone: bool) -> ModelProgress:
        """A model of a tree (``head`` or ``base``) begins.

        :param alone: Whether no other model is measured at the same time.
        """
