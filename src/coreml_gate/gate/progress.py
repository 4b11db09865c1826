"""How the gate reports what it is doing; the command line decides how that looks."""

from typing import Protocol

from coreml_gate.record import ModelRecord


class ModelProgress(Protocol):
    """Receives a callback for each step of one model."""

    def begin_step(self, step: str) -> None:
        """Begin the next step."""

    def advance(self, detail: str) -> None:
        """How far the step is, in words: ``312 of 1,000 predictions``."""

    def end(self, model: ModelRecord, seconds: float) -> None:
        """End the model, with what was measured."""


class Progress(Protocol):
    """Receives a callback for each model."""

    def begin_model(self, name: str, tree: str, *, alone: bool) -> ModelProgress:
        """Begin to measure a model of a tree (``head`` or ``base``).

        :param alone: No other model is measured meanwhile.
        """
