"""Progress that nobody hears."""

from typing import Self

from coreml_gate.record import ModelRecord


class Silence:
    """Tells nothing."""

    def begin_model(self, name: str, tree: str, *, alone: bool) -> Self:
        """Tell nothing."""
        return self

    def begin_step(self, step: str) -> None:
        """Tell nothing."""

    def advance(self, detail: str) -> None:
        """Tell nothing."""

    def end(self, model: ModelRecord, seconds: float) -> None:
        """Tell nothing."""
