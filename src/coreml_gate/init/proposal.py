"""Turns the findings into the models of a first configuration, with a reason for each choice.

The choices are how to build a module without arguments, how the team converts it today (the shipped package
is judged), and the inputs to compare: those of a data loader, or else random ones of a known shape.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Final

from coreml_gate.config.options import DEPLOYMENT_TARGETS
from coreml_gate.init.found import (
    Built,
    CoreMlExport,
    Example,
    FoundRepository,
    InputShape,
    ModuleClass,
    PythonFile,
    StoredPackage,
)
from coreml_gate.init.glue import MODULE, function, imports_of, module_name, reference
from coreml_gate.init.matching import Assignment, Class, matches, relatives, whole_models
from coreml_gate.init.python_file import SAMPLES
from coreml_gate.wording import listed

_LONGEST_NAME: Final = 60
_ULTRALYTICS_INPUT: Final = InputShape((1, 3, 640, 640), "float32", "x")
"""The default input of its exporter without `imgsz` (docs.ultralytics.com, export arguments)."""
_WEAK: Final = "samples: seeded random ones are weak evidence, so write `samples` that yields real inputs"
_UNKNOWN_IMAGE: Final = (
    "; the scale, bias or color of the image is computed in the script: copy it to `image` below"
)
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
    names, whole = _Names(), whole_models(found)
    matched = matches(found, whole)
    answers = [_of_class(each, found, names, matched.by_class, is_only=len(whole) == 1) for each in whole]
    answers += [_of_library(match, found, names) for match in _once(matched.of_libraries)]
    models = [each for each in answers if isinstance(each, ProposedModel)]
    models += [
        _of_exporter(file, export, names) for file in found.files for export in file.exports if export.weights
    ]
    built = {model.export.package for model in models}
    models += [_of_package(each, names) for each in found.packages if each.path not in built]
    notes = (
        *(f"`{name}` cannot be parsed, so it is not used." for name in found.unread),
        *(each for each in answers if isinstance(each, str)),
        *matched.open,
        *(
            f"`{name}` converts to Core ML, but the gate does not run notebooks: move the conversion to a "
            "script."
            for name in found.notebooks
        ),
        *(
            f"`{name}` defines a module, but the gate does not run notebooks: move the module to a script."
            for name in found.notebook_modules
        ),
    )
    return Proposal(tuple(models), notes, found.requirements, found.uses_lfs)


def _once(of_libraries: tuple[Assignment, ...]) -> list[Assignment]:
    """The first conversion of each module."""
    return list({match.built: match for match in reversed(of_libraries)}.values())[::-1]


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


def _of_class(
    each: Class, found: FoundRepository, names: _Names, by_class: Mapping[str, Assignment], *, is_only: bool
) -> ProposedModel | str:
    """The model of a module class, or a sentence about what is missing for it."""
    file, module = each
    name, where = names.new(module.name), f"`{module.name}` ({file.path}:{module.line})"
    match = by_class.get(module.name)
    source = _propose_source(module, file, found, name, match)
    if source is None:
        named = listed(module.required)
        return f"{where} needs {named}: write a function without parameters that returns it."
    samples = _propose_samples(module, file, match, found, name, is_only=is_only)
    if samples is None:
        return f"{where}: no example input was found; write `samples` that yields one."
    return ProposedModel(name, source, samples, ProposedExport() if match is None else propose_export(match))


def _of_library(match: Assignment, found: FoundRepository, names: _Names) -> ProposedModel | str:
    """The model of a module that another library defines, as a script builds it."""
    built, where = match.built, f"{match.file.path}:{match.export.line}"
    if built is None:
        return f"{where} converts a module that is not known."
    name = names.new(built.label.rpartition("/")[2].partition(".")[0] or built.called)
    file = built.label if built.called == "load" else ""
    source = ProposedSource(file, f"{where} converts it") if file else _from_code(match, built, found, name)
    if source is None:
        return f"{where} converts `{built.text}`: write a function without parameters that returns it."
    example = match.export.inputs
    if example is None:
        return (
            f"{where} converts `{built.text}`: no example input was found; write `samples` that yields one."
        )
    samples = ProposedSamples(
        f"{_WEAK}; shape of the conversion ({match.file.path}:{example.line})", inputs=_named(example, ())
    )
    return ProposedModel(name, source, samples, propose_export(match))


def _from_code(match: Assignment, built: Built, found: FoundRepository, name: str) -> ProposedSource | None:
    """A function that builds what a script converts."""
    imports = imports_of(built, match.file, found)
    if imports is None:
        return None
    where = f"{match.file.path}:{match.export.line}"
    text = function(f"build_{name}", f"What {where} converts.", imports, f"return {built.text}")
    line = match.export.loads_weights
    lost = (
        f"; {match.file.path}:{line} loads weights, which `build_{name}` does not: load them there as well"
        if line is not None
        else ""
    )
    reason = f"{where} converts `{built.text}`{lost}"
    return ProposedSource(f"{MODULE}:build_{name}", reason, (text,))


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
    reason = f"a stored package, without a source to compare with{lfs}"
    name = names.new(PurePosixPath(stored.path).stem)
    return ProposedModel(name, ProposedSource(stored.path, reason), _weak_samples(()))


def _propose_source(
    module: ModuleClass, file: PythonFile, found: FoundRepository, name: str, match: Assignment | None
) -> ProposedSource | None:
    """Choose what the conversion builds, a builder in the same file, the class, or a call; else ``None``."""
    builder = next((each for each in file.builders if each.returns == module.name), None)
    shipped = match.built if match is not None else None
    plain = {f"{module.name}()", *(f"{each.function}()" for each in file.builders)}
    if match is not None and shipped is not None and shipped.text not in plain:
        source = _from_code(match, shipped, found, name)
        if source is not None:
            return source
    if builder is not None:
        return ProposedSource(
            reference(file, builder.function, found), f"`{builder.function}` returns a `{module.name}`"
        )
    if not module.required:
        reason = f"`{module.name}` is built without arguments{_lost_weights(match)}"
        return ProposedSource(reference(file, module.name, found), reason)
    return _from_a_call(module, found, name)


def _lost_weights(match: Assignment | None) -> str:
    line = None if match is None else match.export.loads_weights
    if match is None or line is None:
        return ""
    return (
        f"; {match.file.path}:{line} loads weights, which it does not have then: name a function as `source` "
        "that loads them"
    )


def _from_a_call(module: ModuleClass, found: FoundRepository, name: str) -> ProposedSource | None:
    for other in found.files:
        for built in other.constructions:
            imports = imports_of(built, other, found) if built.called == module.name else None
            if imports is not None and not built.text.endswith("()"):
                text = function(
                    f"build_{name}", f"As {other.path} builds it.", imports, f"return {built.text}"
                )
                return ProposedSource(
                    f"{MODULE}:build_{name}", f"{other.path} builds `{built.text}`", (text,)
                )
    return None


def propose_export(match: Assignment) -> ProposedExport:
    """Choose a function that returns the package, or a script that saves it; else the gate converts."""
    file, export = match.file, match.export
    where, target = f"{file.path}:{export.line}", export.target if export.target in DEPLOYMENT_TARGETS else ""
    others = [name for name in export.required if name != export.module]
    if export.function and export.returns and not others:
        reason = f"`{export.function}` converts ({where}): the gate judges its package"
        return ProposedExport(reason, convert=f"{file.path}:{export.function}", target=target)
    if export.saved_as and not export.options:
        return _script(file, export.saved_as, f"{where} converts", target)
    return ProposedExport(
        f"{_why_not(export, where, others)}: the gate converts the model itself", target=target
    )


def _why_not(export: CoreMlExport, where: str, others: list[str]) -> str:
    """Why the team's conversion cannot be called as it is, and what makes it callable."""
    if export.function and export.returns:
        return (
            f"`{export.function}` converts ({where}), but takes {listed(others)}, and the gate passes only "
            "the module: give the others a default and name it as `convert`; until then"
        )
    if export.saved_as:
        return (
            f"{where} converts and saves `{export.saved_as}`, but its script needs {listed(export.options)}: "
            "write the whole command as `build` and the package as `package`; until then"
        )
    return f"{where} converts, but neither returns a package nor saves one under a fixed name"


def _propose_exporter(file: PythonFile, export: CoreMlExport) -> ProposedExport:
    """Choose a library's own exporter, which saves the package beside the weights."""
    package = PurePosixPath(export.weights).with_suffix(".mlpackage").as_posix()
    return _script(file, package, f"{file.path}:{export.line} exports `{export.weights}`", "")


def _script(file: PythonFile, package: str, what: str, target: str) -> ProposedExport:
    reason = f"{what} and saves `{package}`: the gate judges that package"
    return ProposedExport(reason, package=package, build=("python", file.path), target=target)


def _propose_samples(
    module: ModuleClass,
    file: PythonFile,
    match: Assignment | None,
    found: FoundRepository,
    name: str,
    *,
    is_only: bool,
) -> ProposedSamples | None:
    """Choose real samples first; ``None`` if the code has neither a loader nor a shape."""
    if file.samples_line is not None:
        reason = f"samples: those of `{SAMPLES}` ({file.path}:{file.samples_line})"
        return ProposedSamples(reason, reference(file, SAMPLES, found))
    seen = found.files if is_only else tuple(relatives(file, found, frozenset({module.name})))
    example, where = _example(module, file, match)
    image = next((each for each in example.inputs if each.image), None) if example is not None else None
    real = None if image is not None else _of_a_loader((file, *seen), name)
    if real is not None:
        return real
    if example is None:
        return None
    unknown = "" if image is None or image.image is None or image.image.is_known else _UNKNOWN_IMAGE
    return ProposedSamples(f"{_WEAK}; shape {where}{unknown}", inputs=_named(example, module.parameters))


def _weak_samples(inputs: tuple[InputShape, ...]) -> ProposedSamples:
    """Random samples of a known shape."""
    return ProposedSamples(_WEAK, inputs=inputs)


def _of_a_loader(files: tuple[PythonFile, ...], name: str) -> ProposedSamples | None:
    for other in files:
        for loader in other.loaders:
            body = (
                f"for batch in itertools.islice({loader.function}(), {_BATCHES}):\n"
                "        yield (batch[0] if isinstance(batch, list | tuple) else batch)[:1]"
            )
            module = module_name(other)
            if module is not None:
                imports = (f"from {module} import {loader.function}",)
                text = function(f"{name}_samples", f"`{loader.function}` of {module}.", imports, body)
                where = f"{other.path}:{loader.line}"
                reason = f"samples: the first of each batch of `{loader.function}` ({where})"
                return ProposedSamples(reason, f"{MODULE}:{name}_samples", (text,))
    return None


def _example(module: ModuleClass, file: PythonFile, match: Assignment | None) -> tuple[Example | None, str]:
    """The conversion's shape, an example in the file, or the first layer's input; and its place."""
    if match is not None and (shown := match.export.inputs) is not None:
        return shown, f"of the conversion (line {shown.line})"
    count, layer = max(1, len(module.parameters)), module.first_layer
    fitting = (each for each in file.examples if len(each.inputs) == count and each.agrees(layer))
    written = next(fitting, None)
    if written is not None:
        return written, f"of the example at {file.path}:{written.line}"
    guess = layer if count == 1 else None
    if guess is None:
        return None, ""
    return guess, f"guessed from the layer at {file.path}:{guess.line}, of which only the channels are known"


def _named(example: Example, parameters: tuple[str, ...]) -> tuple[InputShape, ...]:
    """The inputs, with the names of ``forward``'s parameters if the code gives none."""
    names = [*parameters, *(f"input_{place}" for place in range(len(example.inputs)))]
    if len(parameters) < len(example.inputs):
        names = names[len(parameters) :]
    pairs = zip(example.inputs, names, strict=False)
    return tuple(replace(each, name=each.name or name) for each, name in pairs)
