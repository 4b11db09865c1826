"""How the gate reports what it is doing; the command line decides how that looks."""

from typing import Protocol

from coreml_gate.record import ModelRecord


class Progress(Protocol):
    """Receives a callback for each model and step."""

    def begin_model(self, name: str, tree: str) -> None:
        """Begin to measure a model of a tree (``head`` or ``base``)."""

    def begin_step(self, step: str) -> None:
        """Begin the next step of the current model."""

    def end_model(self, model: ModelRecord, seconds: float) -> None:
        """End the current model, with what was measured."""
