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
"""Passes that a float32 conversion leaves out."""
_UNIQUE_NAMES: Final = "common::dedup_op_and_var_names"
"""Without it a traced value may be called like an input, and a saved name does not say which one is read."""


class Mapper:
    """Captures a source once and converts its float32 twin as often as needed, each time with other passes.

    :raises ConversionFailedError: Already the capture fails.
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
        """How many there were."""
        return len(self._made)

    def mapped(self, passes: tuple[str, ...] | None = None) -> Mapped:
        """The twin with the graph beside it and the converter's own mapping between the two.

        ``passes`` are the optimisation passes to apply, all without it; with none of them each torch
        operation keeps operations of its own. Names are made unique in any case.

        :raises ConversionFailedError: It does not convert this way.
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
        """What the converter is given, whatever passes follow."""
        return self._captured.model

    def passes(self) -> tuple[str, ...]:
        """All optimisation passes of a float32 conversion, in order."""
        names = pass_pipeline(self._task.config.converter.skip_passes).passes
        return tuple(name for name in names if name not in _NARROWING)

    def changing_passes(self) -> tuple[str, ...]:
        """Those of them that change this program: a handful of nearly a hundred."""
        with self._converting():
            program = to_core_ml(self._captured, self._task, None, ct.PassPipeline([]), "milinternal")
            return tuple(name for name in self.passes() if _changes(name, program))

    @contextmanager
    def _converting(self) -> Iterator[None]:
        with converter_errors(self._task.source.root), identity_shims():
            yield


def _changes(name: str, program: CoreMlObject) -> bool:
    """Applies one pass; the program's text shows every operation, and large constants by their ends."""
    before = str(program)
    PassPipelineManager.apply_pipeline(program, ct.PassPipeline([name]))
    return str(program) != before
