"""The PyTorch source as an engine: the reference of every comparison."""

from dataclasses import dataclass, field
from typing import Literal

from coreml_gate.engines.engine import SEED, Outputs, Sample
from coreml_gate.engines.source import Source, run_source
from coreml_gate.errors import SourceError
from coreml_gate.wording import counted, listed


@dataclass(frozen=True)
class SourceEngine:
    """A source whose outputs have the configured names, if any."""

    source: Source
    output_names: tuple[str, ...] = ()
    side: Literal["source"] = "source"
    most_seconds: float | None = None
    """The source's part of a run raises ``OverdueCallError`` after this much of the thread's own time."""
    known_names: list[str] = field(default_factory=list, repr=False, compare=False)
    """The outputs of the first run; a copy of the engine shares them."""

    def run(self, sample: Sample, index: int = 0, drawn: int = SEED) -> Outputs:
        """Compute one sample; ``index`` is its number in messages, ``drawn`` as of :func:`run_source`.

        Raises :class:`SourceError` if the configuration names another number of outputs, or if an earlier run
        gave others.
        """
        outputs = run_source(self.source, sample, index, drawn, self.most_seconds)
        self._require_the_same(tuple(outputs), index)
        if not self.output_names:
            return outputs
        if len(self.output_names) != len(outputs):
            raise SourceError(
                f"source `{self.source.reference}` has {counted(len(outputs), 'output')}, "
                f"the configuration names {len(self.output_names)}.",
                "correct `output` of this model: one name per tensor, in the order of the source.",
            )
        return dict(zip(self.output_names, outputs.values(), strict=True))

    def _require_the_same(self, names: tuple[str, ...], index: int) -> None:
        self.known_names.extend(names if not self.known_names else ())
        if names != tuple(self.known_names):
            raise SourceError(
                f"source `{self.source.reference}` returns {listed(names)} for sample {index}, and "
                f"{listed(self.known_names)} before: a package has the same outputs in every run.",
                "return the same outputs in the same order, whatever the sample is.",
            )
