"""From what was found to what to write: the models of a first configuration, each choice with its reason."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from coreml_gate.init.found import (
    CoreMlExport,
    FoundRepository,
    InputShape,
    ModuleClass,
    PythonFile,
    StoredPackage,
)
from coreml_gate.init.glue import MODULE
from coreml_gate.init.samples import ProposedSamples, propose_samples, weak_samples
from coreml_gate.init.sources import (
    ProposedExport,
    ProposedSource,
    export_of,
    propose_export,
    propose_exporter,
    propose_source,
)

_LONGEST_NAME: Final = 60
_ULTRALYTICS_INPUT: Final = InputShape((1, 3, 640, 640), "float32", "x")
"""What its exporter takes unless `imgsz` says otherwise (docs.ultralytics.com, export arguments)."""


@dataclass(frozen=True)
class ProposedModel:
    """One ``[[model]]``."""

    name: str
    source: ProposedSource
    samples: ProposedSamples
    export: ProposedExport = field(default_factory=ProposedExport)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is written as it is, one sentence part each."""
        reasons = (self.source.reason, self.export.reason, self.samples.reason)
        return tuple(reason for reason in reasons if reason)

    @property
    def glue(self) -> tuple[str, ...]:
        """The functions that it needs, as source text."""
        return (*self.source.glue, *self.samples.glue)


@dataclass(frozen=True)
class Proposal:
    """What to write, and what a person should know about what was found."""

    models: tuple[ProposedModel, ...]
    notes: tuple[str, ...] = ()
    requirements: str = ""
    uses_lfs: bool = False


def propose(found: FoundRepository) -> Proposal:
    """A model for each class that is not part of another, then for exporters and packages without a class."""
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
    """Gives each name once: ``KeywordNet`` becomes ``keyword_net``, the next one ``keyword_net_2``."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def new(self, wanted: str) -> str:
        """A name that a folder, a function and the configuration may have."""
        spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", wanted)
        plain = re.sub(r"\W+", "_", spaced, flags=re.ASCII).strip("_").lower()[:_LONGEST_NAME] or "model"
        self._given[plain] = self._given.get(plain, 0) + 1
        return plain if self._given[plain] == 1 else f"{plain}_{self._given[plain]}"


def _whole_models(found: FoundRepository) -> Iterator[tuple[PythonFile, ModuleClass]]:
    """Module classes that no other module class builds: a block is a part of a model."""
    parts = {part for file in found.files for each in file.classes for part in each.parts}
    for file in found.files:
        yield from ((file, each) for each in file.classes if each.name not in parts)


def _of_class(
    module: ModuleClass, file: PythonFile, found: FoundRepository, names: _Names
) -> ProposedModel | str:
    """The model of a module class, or the sentence that says what is missing for one."""
    name, where = names.new(module.name), f"`{module.name}` ({file.path}:{module.line})"
    source = propose_source(module, file, found, name)
    if source is None:
        listed = ", ".join(f"`{each}`" for each in module.required)
        return f"{where} needs {listed}: write a function without parameters that returns it."
    found_export = export_of(module, file, found)
    export = None if found_export is None else found_export[1]
    samples = propose_samples(module, file, export, found, name)
    if samples is None:
        return f"{where}: no example input was found; write `samples` that yields one."
    own = ProposedExport() if found_export is None else propose_export(*found_export)
    return ProposedModel(name, source, samples, own)


def _of_exporter(file: PythonFile, export: CoreMlExport, names: _Names) -> ProposedModel:
    """A model of a library that exports itself, as ultralytics does."""
    name = names.new(PurePosixPath(export.weights).stem)
    text = (
        f"def build_{name}() -> object:\n"
        f'    """The module that `{export.weights}` holds."""\n'
        "    from ultralytics import YOLO\n\n"
        f"    return YOLO({export.weights!r}).model\n"
    )
    source = ProposedSource(f"{MODULE}:build_{name}", f"`{export.weights}` holds the module", (text,))
    samples = weak_samples((_ULTRALYTICS_INPUT,))
    return ProposedModel(name, source, samples, propose_exporter(file, export))


def _of_package(stored: StoredPackage, names: _Names) -> ProposedModel:
    lfs = "; its files are pointers of Git LFS here: run `git lfs pull` first" if stored.in_lfs else ""
    reason = f"a stored package, which has no source to be compared with{lfs}"
    name = names.new(PurePosixPath(stored.path).stem)
    return ProposedModel(name, ProposedSource(stored.path, reason), weak_samples(()))
