"""Converts a source twice: a float32 twin to compare with the source, and the package that ships."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import coremltools as ct
import torch
from coremltools.converters.mil.mil.passes.pass_pipeline import PassPipelineManager

from coreml_gate.config import Compression, ModelConfig
from coreml_gate.convert.capture import Captured, Route, capture, routes
from coreml_gate.convert.compress import compress
from coreml_gate.convert.failures import ConversionFailedError, failure_of, in_one_line
from coreml_gate.convert.graph import graph_of
from coreml_gate.convert.interface import input_types, output_types
from coreml_gate.convert.keep import Selector
from coreml_gate.convert.mapping import Mapped, number_nodes, operation_keys, script_lines
from coreml_gate.convert.missing import missing_hint, missing_message, missing_operations
from coreml_gate.convert.origins import Origin, Places, write_origins
from coreml_gate.convert.quiet import quiet
from coreml_gate.convert.shims import identity_shims
from coreml_gate.engines.engine import Outputs
from coreml_gate.engines.features import with_program_ranges
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source, run_source
from coreml_gate.frozen import changed
from coreml_gate.record import ConversionFacts, MissingOperation
from coreml_gate.torch_graph import GRAPH, write_graph

REFERENCE = "reference.mlpackage"
PACKAGE = "package.mlpackage"

MAPPED = "mapped.mlpackage"
ORIGINS = "operations.json"
_NARROWING: Final = frozenset({"common::add_fp16_cast", "common::add_int16_cast"})
"""Passes that a float32 conversion leaves out."""
_UNIQUE_NAMES: Final = "common::dedup_op_and_var_names"
"""Without it a traced value may be called like an input, and a saved name does not say which one is read."""


@dataclass(frozen=True)
class Conversion:
    """How the conversion went, and where its packages lie (``None``: there is none)."""

    facts: ConversionFacts
    reference: Path | None
    """The float32 twin; the package itself when that is float32 and not compressed."""
    package: Path | None
    origins: Path | None = None
    """The file that tells where each operation in half was written (``convert/origins.py``)."""
    graph: Path | None = None
    """The captured graph (``convert/graph.py``); of a conversion that failed, the last one tried."""


@dataclass(frozen=True)
class _Task:
    source: Source
    samples: Samples
    config: ModelConfig
    folder: Path


def convert(
    source: Source,
    samples: Samples,
    config: ModelConfig,
    folder: Path,
    clock: Callable[[], float] = time.perf_counter,
) -> Conversion:
    """Converts along the configured route, or along each in turn, into packages below ``folder``.

    A conversion that fails is a value: status ``failed`` with the converter's own words. Raises
    :class:`~coreml_gate.errors.SourceError` when the source itself cannot run the first sample.
    """
    if source.kind == "package":
        return Conversion(ConversionFacts(status="not-needed", route="none"), None, source.path)
    started = clock()
    task = _Task(source, samples, with_program_ranges(config, source, samples.names), folder)
    outputs = run_source(source, samples.samples[0])
    failures: list[tuple[Route, ConversionFailedError]] = []
    for route in routes(source, config):
        try:
            notes, reference, package = _along(route, task, outputs)
        except ConversionFailedError as failure:
            failures.append((route, failure))
        else:
            facts = ConversionFacts(
                status="converted",
                route=route,
                seconds=clock() - started,
                notes=(*source.notes, *_fallback_notes(failures), *notes),
            )
            return Conversion(facts, reference, package, folder / ORIGINS, folder / GRAPH)
    facts = _failed(failures, task, clock() - started)
    return Conversion(facts, None, None, graph=folder / GRAPH)


def compress_package(plain: Conversion, options: Compression, folder: Path) -> Conversion:
    """A package that was converted without compression, compressed into ``folder``; the twin is shared.

    A failure is a value, as with :func:`convert`.
    """
    if plain.package is None:
        return plain
    try:
        with quiet() as heard:
            model = compress(ct.models.MLModel(str(plain.package), skip_model_load=True), options)
            return replace(plain, package=_save(model, folder / PACKAGE))
    except ConversionFailedError as error:
        failure = error
    except Exception as error:  # noqa: BLE001  # coremltools.optimize documents no exceptions
        failure = failure_of(error, folder, heard.errors)
    facts = changed(plain.facts, status="failed", message=failure.message, hint=failure.hint)
    return Conversion(facts, None, None, graph=plain.graph)


def convert_shipped(
    source: Source, samples: Samples, config: ModelConfig, folder: Path, route: Route
) -> tuple[Path, dict[str, Origin]]:
    """Converts once more along a route that worked, the package that ships alone.

    :raises ConversionFailedError: It works no longer.
    """
    task = _Task(source, samples, with_program_ranges(config, source, samples.names), folder)
    outputs = run_source(source, samples.samples[0])
    with quiet() as heard, identity_shims():
        try:
            model, origins = _convert_half(capture(route, source, samples, task.config), task, outputs)
        except ConversionFailedError:
            raise
        except Exception as error:  # coremltools and torch.export document no exceptions
            raise failure_of(error, source.root, heard.errors) from error
    return _save(model, folder / PACKAGE), origins


class Mapper:
    """Captures a source once and converts its float32 twin as often as asked, each time with other passes.

    :raises ConversionFailedError: Already the capture fails.
    """

    def __init__(
        self, source: Source, samples: Samples, config: ModelConfig, folder: Path, route: Route
    ) -> None:
        self._task = _Task(source, samples, with_program_ranges(config, source, samples.names), folder)
        self._outputs = run_source(source, samples.samples[0])
        self._made: dict[tuple[str, ...] | None, Mapped] = {}
        with self._told():
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
            with self._told():
                model = _convert(self._captured, self._task, self._outputs, ct.precision.FLOAT32, pipeline)
            path = _save(model, self._task.folder / str(len(self._made)) / MAPPED)
            self._made[passes] = Mapped(self._captured.model, path, operation_keys(model))
        return self._made[passes]

    def passes(self) -> tuple[str, ...]:
        """All optimisation passes of a float32 conversion, in order."""
        names = _passes(self._task.config.converter.skip_passes).passes
        return tuple(name for name in names if name not in _NARROWING)

    def changing_passes(self) -> tuple[str, ...]:
        """Those of them that change this program: a handful of nearly a hundred."""
        with self._told():
            program = _convert(
                self._captured, self._task, self._outputs, None, ct.PassPipeline([]), "milinternal"
            )
            return tuple(name for name in self.passes() if _changes(name, program))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns what the converter raises into its message."""
        with quiet() as heard, identity_shims():
            try:
                yield
            except ConversionFailedError:
                raise
            except Exception as error:  # coremltools and torch.export document no exceptions
                raise failure_of(error, self._task.source.root, heard.errors) from error


def _changes(name: str, program: Any) -> bool:  # noqa: ANN401  # coremltools' own types
    """Applies one pass; the program's text shows every operation, and large constants by their ends."""
    before = str(program)
    PassPipelineManager.apply_pipeline(program, ct.PassPipeline([name]))
    return str(program) != before


def _fallback_notes(failures: list[tuple[Route, ConversionFailedError]]) -> list[str]:
    return [f"the {route} route failed: {in_one_line(failure)}" for route, failure in failures]


def _failed(
    failures: list[tuple[Route, ConversionFailedError]], task: _Task, seconds: float
) -> ConversionFacts:
    (route, first), *others = failures
    return ConversionFacts(
        status="failed",
        route=route,
        seconds=seconds,
        missing=first.missing,
        message=first.message,
        hint=missing_hint(first.missing, _untried(task, route)) if first.missing else first.hint,
        notes=(*task.source.notes, *_fallback_notes(others)),
    )


def _untried(task: _Task, route: Route) -> Route | None:
    """The other route, where the configuration alone kept it from being tried."""
    chosen = task.source.kind == "module" and task.config.conversion == route
    return ("trace" if route == "export" else "export") if chosen else None


def _along(route: Route, task: _Task, outputs: Outputs) -> tuple[list[str], Path, Path]:
    """One route to the end: notes, the float32 twin, the package that ships."""
    with quiet() as heard, identity_shims() as shims:
        try:
            captured = capture(route, task.source, task.samples, task.config)
            missing = missing_operations(
                captured.model, input_types(task.samples, task.config, captured.program)
            )
            _keep_graph(captured, task, missing)
            if missing:
                raise ConversionFailedError(missing_message(missing), missing=missing)  # noqa: TRY301
            reference, package = _packages(captured, task, outputs)
        except ConversionFailedError:
            raise
        except Exception as error:  # coremltools and torch.export document no exceptions
            raise failure_of(error, task.source.root, heard.errors) from error
    notes = [f"`{name}` has no converter in coremltools, ours passes its input on" for name in shims]
    return [*captured.notes, *notes], reference, package


def _keep_graph(captured: Captured, task: _Task, missing: tuple[MissingOperation, ...]) -> None:
    kinds = [item.operation for item in missing]
    graph = graph_of(captured.model, task.source.root, kinds, captured.frozen_places, captured.filled_states)
    write_graph(graph, task.folder / GRAPH)


def _packages(captured: Captured, task: _Task, outputs: Outputs) -> tuple[Path, Path]:
    twin = _convert(captured, task, outputs, ct.precision.FLOAT32)
    options = task.config
    origins: dict[str, Origin] = {}
    if options.precision == "float32" and options.compress is None:
        write_origins(origins, task.folder / ORIGINS)
        return (_save(twin, task.folder / PACKAGE),) * 2
    reference = _save(twin, task.folder / REFERENCE)
    shipped = twin
    if options.precision == "float16":
        shipped, origins = _convert_half(captured, task, outputs)
    write_origins(origins, task.folder / ORIGINS)
    if options.compress is not None:
        shipped = compress(shipped, options.compress)
    return reference, _save(shipped, task.folder / PACKAGE)


def _convert_half(
    captured: Captured, task: _Task, outputs: Outputs
) -> tuple[ct.models.MLModel, dict[str, Origin]]:
    """In half precision but for ``keep-fp32``; patterns that name nothing are refused, so none goes stale."""
    names = task.config.output or tuple(outputs)
    root = task.source.root
    places = Places(root, _root_module(task.source), script_lines(captured.model, root))
    selector = Selector(task.config.keep_fp32, names, places)
    model = _convert(captured, task, outputs, ct.transform.FP16ComputePrecision(selector))
    selector.refuse_unused()
    return model, selector.origins


def _root_module(source: Source) -> str:
    return type(source.model).__name__ if isinstance(source.model, torch.nn.Module) else ""


def _convert(
    captured: Captured,
    task: _Task,
    outputs: Outputs,
    precision: Any,  # noqa: ANN401  # coremltools' own types
    passes: ct.PassPipeline | None = None,
    to: Literal["mlprogram", "milinternal"] = "mlprogram",
) -> Any:  # noqa: ANN401  # coremltools' own types
    config = task.config
    return ct.convert(
        captured.model,
        convert_to=to,
        inputs=input_types(task.samples, config, captured.program),
        outputs=output_types(config, outputs),
        states=list(captured.states),
        minimum_deployment_target=ct.target[config.deployment_target],
        compute_precision=precision,
        compute_units=ct.ComputeUnit[config.compute_units],
        pass_pipeline=_passes(config.converter.skip_passes) if passes is None else passes,
        skip_model_load=True,
    )


def _passes(skipped: tuple[str, ...]) -> ct.PassPipeline:
    pipeline = ct.PassPipeline()
    unknown = [name for name in skipped if name not in pipeline.passes]
    if unknown:
        raise ConversionFailedError(
            f"`skip-passes` names `{unknown[0]}`, which coremltools {ct.__version__} does not have.",
            "write it as coremltools does: `common::fuse_conv_batchnorm`.",
        )
    pipeline.remove_passes(set(skipped))
    return pipeline


def _save(model: ct.models.MLModel, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(str(path))
    return path
