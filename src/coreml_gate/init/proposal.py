"""Turns the findings into the models of a first configuration, with a reason for each choice.

The choices are how to build a module without arguments, how the team converts it today (the shipped package
is judged), and the inputs to compare: those of a data loader, or else random ones of a known shape.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from coreml_gate.config.options import DEPLOYMENT_TARGETS
from coreml_gate.init.found import (
    CoreMlExport,
    Example,
    FoundRepository,
    InputShape,
    ModuleClass,
    PythonFile,
    StoredPackage,
)
from coreml_gate.init.glue import MODULE, function, reference
from coreml_gate.init.python_file import SAMPLES
from coreml_gate.wording import listed

_LONGEST_NAME: Final = 60
_ULTRALYTICS_INPUT: Final = InputShape((1, 3, 640, 640), "float32", "x")
"""The default input of its exporter without `imgsz` (docs.ultralytics.com, export arguments)."""
_WEAK: Final = "samples: seeded random ones are weak evidence, so write `samples` that yields real inputs"
_BATCHES: Final = 8


@dataclass(frozen=True)
class ProposedSamples:
    """A reference for ``samples`` with the functions it needs, or the inputs to draw; and the reason."""

    reason: str
    reference: str = ""
    glue: tuple[str, ...] = ()
    inputs: tuple[InputShape, ...] = ()


@dataclass(frozen=True)
class ProposedExport:
    """The configuration's keys for the team's own conversion; all empty if the gate converts."""

    reason: str = ""
    convert: str = ""
    package: str = ""
    build: tuple[str, ...] = ()
    target: str = ""


@dataclass(frozen=True)
class ProposedSource:
    """A reference for ``source``, the functions it needs, and the reason for it."""

    reference: str
    reason: str
    glue: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProposedModel:
    """One ``[[model]]``."""

    name: str
    source: ProposedSource
    samples: ProposedSamples
    export: ProposedExport = field(default_factory=ProposedExport)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons for its choices, each as part of a sentence."""
        reasons = (self.source.reason, self.export.reason, self.samples.reason)
        return tuple(reason for reason in reasons if reason)

    @property
    def glue(self) -> tuple[str, ...]:
        """The functions it needs, as source text."""
        return (*self.source.glue, *self.samples.glue)


@dataclass(frozen=True)
class Proposal:
    """The text to write, and notes about the findings."""

    models: tuple[ProposedModel, ...]
    notes: tuple[str, ...] = ()
    requirements: str = ""
    uses_lfs: bool = False


def propose(found: FoundRepository) -> Proposal:
    """Propose a model for each class that is not part of another, then for exporters and packages."""
    names = _Names()
    answers = [_of_class(module, file, found, names) for file, module in _whole_models(found)]
    models = [each for each in answers if isinstance(each, ProposedModel)]
    models += [
        _of_exporter(file, export, names) for file in found.files for export in file.exports if export.weights
    ]
    built = {model.export.package for model in models}
    models += [_of_package(each, names) for each in found.packages if each.path not in built]
    notes = (
        *(f"`{name}` does not parse, so nothing of it is used." for name in found.unread),
        *(each for each in answers if isinstance(each, str)),
        *(
            f"`{name}` converts to Core ML, but the gate runs no notebook: move the conversion to a script."
            for name in found.notebooks
        ),
    )
    return Proposal(tuple(models), notes, found.requirements, found.uses_lfs)


class _Names:
    """Makes unique names: ``KeywordNet`` becomes ``keyword_net``, the next one ``keyword_net_2``."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def new(self, wanted: str) -> str:
        """A unique name that is valid for a folder, a function and the configuration."""
        spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", wanted)
        plain = re.sub(r"\W+", "_", spaced, flags=re.ASCII).strip("_").lower()[:_LONGEST_NAME] or "model"
        self._given[plain] = self._given.get(plain, 0) + 1
        return plain if self._given[plain] == 1 else f"{plain}_{self._given[plain]}"


def _whole_models(found: FoundRepository) -> Iterator[tuple[PythonFile, ModuleClass]]:
    """Module classes that no other module class builds; the others are parts of a model."""
    parts = {part for file in found.files for each in file.classes for part in each.parts}
    for file in found.files:
        yield from ((file, each) for each in file.classes if each.name not in parts)


def _of_class(
    module: ModuleClass, file: PythonFile, found: FoundRepository, names: _Names
) -> ProposedModel | str:
    """The model of a module class, or a sentence about what is missing for it."""
    name, where = names.new(module.name), f"`{module.name}` ({file.path}:{module.line})"
    source = _propose_source(module, file, found, name)
    if source is None:
        named = listed(module.required)
        return f"{where} needs {named}: write a function without parameters that returns it."
    found_export = _export_of(module, file, found)
    export = None if found_export is None else found_export[1]
    samples = _propose_samples(module, file, export, found, name)
    if samples is None:
        return f"{where}: no example input was found; write `samples` that yields one."
    own = ProposedExport() if found_export is None else _propose_export(*found_export)
    return ProposedModel(name, source, samples, own)


def _of_exporter(file: PythonFile, export: CoreMlExport, names: _Names) -> ProposedModel:
    """A model of a library with its own exporter, such as ultralytics."""
    name = names.new(PurePosixPath(export.weights).stem)
    text = (
        f"def build_{name}() -> object:\n"
        f'    """The module that `{export.weights}` holds."""\n'
        "    from ultralytics import YOLO\n\n"
        f"    return YOLO({export.weights!r}).model\n"
    )
    source = ProposedSource(f"{MODULE}:build_{name}", f"`{export.weights}` holds the module", (text,))
    samples = _weak_samples((_ULTRALYTICS_INPUT,))
    return ProposedModel(name, source, samples, _propose_exporter(file, export))


def _of_package(stored: StoredPackage, names: _Names) -> ProposedModel:
    lfs = "; its files are pointers of Git LFS here: run `git lfs pull` first" if stored.in_lfs else ""
    reason = f"a stored package, which has no source to be compared with{lfs}"
    name = names.new(PurePosixPath(stored.path).stem)
    return ProposedModel(name, ProposedSource(stored.path, reason), _weak_samples(()))


def _propose_source(
    module: ModuleClass, file: PythonFile, found: FoundRepository, name: str
) -> ProposedSource | None:
    """Choose a builder in the same file, the class, or a call with literal arguments; else ``None``."""
    builder = next((each for each in file.builders if each.returns == module.name), None)
    if builder is not None:
        return ProposedSource(
            reference(file, builder.function, found), f"`{builder.function}` returns a `{module.name}`"
        )
    if not module.required:
        return ProposedSource(
            reference(file, module.name, found), f"`{module.name}` is built without arguments"
        )
    return _from_a_call(module, file, found, name)


def _from_a_call(
    module: ModuleClass, file: PythonFile, found: FoundRepository, name: str
) -> ProposedSource | None:
    calls = ((other, call) for other in found.files for call in other.constructions)
    for other, call in calls:
        if call.name == module.name and call.arguments:
            body = f"return {module.name}({call.arguments})"
            text = function(f"build_{name}", file, module.name, body)
            if text is not None:
                reason = f"{other.path} builds `{module.name}({call.arguments})`"
                return ProposedSource(f"{MODULE}:build_{name}", reason, (text,))
    return None


def _export_of(
    module: ModuleClass, file: PythonFile, found: FoundRepository
) -> tuple[PythonFile, CoreMlExport] | None:
    """The conversion of a class: in its own file, or in one that imports it or its builder."""
    names = {module.name, *(each.function for each in file.builders if each.returns == module.name)}
    for other in (file, *found.files):
        if other is file or other.imports & names:
            for export in other.exports:
                if not export.weights:
                    return other, export
    return None


def _propose_export(file: PythonFile, export: CoreMlExport) -> ProposedExport:
    """Choose a function that returns the package, or a script that saves it; else the gate converts."""
    where, target = f"{file.path}:{export.line}", export.target if export.target in DEPLOYMENT_TARGETS else ""
    if export.function and export.returns and export.takes <= 1:
        reason = f"`{export.function}` converts ({where}): its package is the one that is judged"
        return ProposedExport(reason, convert=f"{file.path}:{export.function}", target=target)
    if export.saved_as:
        return _script(file, export.saved_as, f"{where} converts", target)
    reason = f"{where} converts, but neither returns a package nor saves one under a fixed name"
    return ProposedExport(f"{reason}: the gate converts by itself", target=target)


def _propose_exporter(file: PythonFile, export: CoreMlExport) -> ProposedExport:
    """Choose a library's own exporter, which saves the package beside the weights."""
    package = PurePosixPath(export.weights).with_suffix(".mlpackage").as_posix()
    return _script(file, package, f"{file.path}:{export.line} exports `{export.weights}`", "")


def _script(file: PythonFile, package: str, what: str, target: str) -> ProposedExport:
    reason = f"{what} and saves `{package}`: that package is the one that is judged"
    return ProposedExport(reason, package=package, build=("python", file.path), target=target)


def _propose_samples(
    module: ModuleClass, file: PythonFile, export: CoreMlExport | None, found: FoundRepository, name: str
) -> ProposedSamples | None:
    """Choose real samples first; ``None`` if the code has neither a loader nor a shape."""
    if file.samples_line is not None:
        reason = f"samples: those of `{SAMPLES}` ({file.path}:{file.samples_line})"
        return ProposedSamples(reason, reference(file, SAMPLES, found))
    real = _of_a_loader(file, found, name)
    if real is not None:
        return real
    example, where = _example(module, file, export)
    if example is None:
        return None
    return ProposedSamples(f"{_WEAK}; shape {where}", inputs=_named(example, module))


def _weak_samples(inputs: tuple[InputShape, ...]) -> ProposedSamples:
    """Random samples of a known shape."""
    return ProposedSamples(_WEAK, inputs=inputs)


def _of_a_loader(file: PythonFile, found: FoundRepository, name: str) -> ProposedSamples | None:
    for other in (file, *found.files):
        for loader in other.loaders:
            body = (
                f"for batch in itertools.islice({loader.function}(), {_BATCHES}):\n"
                "        yield (batch[0] if isinstance(batch, list | tuple) else batch)[:1]"
            )
            text = function(f"{name}_samples", other, loader.function, body)
            if text is not None:
                where = f"{other.path}:{loader.line}"
                reason = f"samples: the first of each batch of `{loader.function}` ({where})"
                return ProposedSamples(reason, f"{MODULE}:{name}_samples", (text,))
    return None


def _example(
    module: ModuleClass, file: PythonFile, export: CoreMlExport | None
) -> tuple[Example | None, str]:
    """The conversion's shape, an example in the file, or the first layer's input; and its place."""
    if export is not None and export.example is not None:
        return export.example, f"of the conversion (line {export.example.line})"
    count = max(1, len(module.parameters))
    written = next((each for each in file.examples if len(each.inputs) == count), None)
    if written is not None:
        return written, f"of the example at {file.path}:{written.line}"
    guess = module.first_layer if count == 1 else None
    return guess, "" if guess is None else f"guessed from the layer at {file.path}:{guess.line}"


def _named(example: Example, module: ModuleClass) -> tuple[InputShape, ...]:
    """The inputs, with the names of ``forward``'s parameters if the code gives none."""
    names = [*module.parameters, *(f"input_{place}" for place in range(len(example.inputs)))]
    if len(module.parameters) < len(example.inputs):
        names = names[len(module.parameters) :]
    return tuple(
        InputShape(each.shape, each.dtype, name) for each, name in zip(example.inputs, names, strict=False)
    )
