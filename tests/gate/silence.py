"""Progress that nobody hears."""

from coreml_gate.record import ModelRecord


class Silence:
    """Tells nothing."""

    def begin_model(self, name: str, tree: str) -> None:
        """Tell nothing."""

    def begin_step(self, step: str) -> None:
        """Tell nothing."""

    def end_model(self, model: ModelRecord, seconds: float) -> None:
        """Tell nothing."""
