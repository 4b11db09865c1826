"""The float32 twin of one source, converted with different passes, each time mapped back to the graph."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import coremltools as ct
import torch
from coremltools.converters.mil.mil.passes.pass_pipeline import PassPipelineManager
from torch.export import ExportedProgram

from coreml_gate.config import ModelConfig
from coreml_gate.conversion.capture import capture
from coreml_gate.conversion.conversion import task_of
from coreml_gate.conversion.failures import converter_errors
from coreml_gate.conversion.mapping import Mapped, number_nodes, operation_keys
from coreml_gate.conversion.packages import pass_pipeline, save, to_core_ml
from coreml_gate.conversion.shims import identity_shims
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source
from coreml_gate.record import Route
from coreml_gate.untyped import CoreMlObject

MAPPED: Final = "mapped.mlpackage"
_NARROWING: Final = frozenset({"common::add_fp16_cast", "common::add_int16_cast"})
"""Passes that a float32 conversion omits."""
_UNIQUE_NAMES: Final = "common::dedup_op_and_var_names"
"""Without it, a traced value may have the name of an input, so a saved name would be ambiguous."""


class Mapper:
    """Captures a source once, and converts its float32 twin with different passes as often as needed.

    :raises ConversionFailedError: The capture fails.
    """

    def __init__(
        self, source: Source, samples: Samples, config: ModelConfig, folder: Path, route: Route
    ) -> None:
        self._task = task_of(source, samples, config, folder)
        self._made: dict[tuple[str, ...] | None, Mapped] = {}
        with self._converting():
            self._captured = capture(route, source, samples, self._task.config)
            number_nodes(self._captured.model)

    @property
    def conversions(self) -> int:
        """The number of conversions so far."""
        return len(self._made)

    def mapped(self, passes: tuple[str, ...] | None = None) -> Mapped:
        """The twin with its graph and the converter's own mapping between the two.

        ``passes`` are the optimisation passes to apply, by default all; without any, each torch operation has
        its own MIL operations. Names are always made unique.

        :raises ConversionFailedError: The conversion fails with these passes.
        """
        if passes not in self._made:
            pipeline = None if passes is None else ct.PassPipeline([*passes, _UNIQUE_NAMES])
            with self._converting():
                model = to_core_ml(self._captured, self._task, ct.precision.FLOAT32, pipeline)
            path = save(model, self._task.folder / str(len(self._made)) / MAPPED)
            self._made[passes] = Mapped(self._captured.model, path, operation_keys(model))
        return self._made[passes]

    @property
    def graph(self) -> ExportedProgram | torch.jit.ScriptModule:
        """The captured graph, which does not depend on the passes."""
        return self._captured.model

    def passes(self) -> tuple[str, ...]:
        """All optimisation passes of a float32 conversion, in order."""
        names = pass_pipeline(self._task.config.converter.skip_passes).passes
        return tuple(name for name in names if name not in _NARROWING)

    def changing_passes(self) -> tuple[str, ...]:
        """The passes that change this program: a few of nearly a hundred."""
        with self._converting():
            program = to_core_ml(self._captured, self._task, None, ct.PassPipeline([]), "milinternal")
            return tuple(name for name in self.passes() if _changes(name, program))

    @contextmanager
    def _converting(self) -> Iterator[None]:
        with converter_errors(self._task.source.root), identity_shims():
            yield


def _changes(name: str, program: CoreMlObject) -> bool:
    """Applies one pass; returns whether the program's text changes, which abbreviates large constants."""
    before = str(program)
    PassPipelineManager.apply_pipeline(program, ct.PassPipeline([name]))
    return str(program) != before
