"""Which classes are whole models, and which conversion is whose? What the code does not show stays open."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from coreml_gate.init.found import Built, CoreMlExport, FoundRepository, ModuleClass, PythonFile
from coreml_gate.wording import listed

_MODULE_BASES: Final = frozenset(
    {"Module", "LightningModule", "ScriptModule", "Sequential", "PreTrainedModel", "ModelMixin"}
)
Class = tuple[PythonFile, ModuleClass]


@dataclass(frozen=True)
class Assignment:
    """A conversion, and what it builds."""

    file: PythonFile
    export: CoreMlExport
    built: Built | None = None


@dataclass(frozen=True)
class Matches:
    """The conversions of a repository."""

    by_class: Mapping[str, Assignment] = field(default_factory=dict)
    of_libraries: tuple[Assignment, ...] = ()
    """Those of modules that another library defines."""
    open: tuple[str, ...] = ()
    """A sentence for each one of which the code does not show what it converts."""


def whole_models(found: FoundRepository) -> list[Class]:
    """Module classes that no other one builds, wraps or inherits; the others are parts of a model."""
    modules = _module_classes(found)
    names = {module.name for _, module in modules}
    builders = _builders(found)
    parts = {part for _, module in modules for part in module.parts}
    for file in found.files:
        for built in file.constructions:
            if built.called in names:
                parts |= {builders.get(each, each) for each in built.inner}
    abstract = {base for _, module in modules for base in module.bases}
    shipped = {
        builders.get(each.built.called, each.built.called)
        for file in found.files
        for each in file.exports
        if each.built is not None
    }
    return [
        (file, module)
        for file, module in modules
        if module.name in shipped
        or (module.name not in parts and not (module.name in abstract and not module.parameters))
    ]


def matches(found: FoundRepository, whole: list[Class]) -> Matches:
    """Assign each conversion to what it captures, to what it is called with, or to the only candidate."""
    by_class: dict[str, Assignment] = {}
    libraries: list[Assignment] = []
    unclear: list[str] = []
    for file in found.files:
        for export in file.exports:
            if export.weights:
                continue
            for match in _of_export(file, export, found):
                name = _class_of(match.built, found)
                targets = [name] if name else _candidates(match, found, whole)
                if name not in {module.name for _, module in whole} and match.built and not name:
                    libraries.append(match)
                elif len(targets) == 1:
                    by_class.setdefault(targets[0], match)
                else:
                    unclear.append(_unclear(match, targets))
    return Matches(by_class, tuple(libraries), tuple(dict.fromkeys(unclear)))


def _of_export(file: PythonFile, export: CoreMlExport, found: FoundRepository) -> list[Assignment]:
    """One for each module with which the conversion is called, or the one that it builds, or one without."""
    given: list[Built | None] = []
    if export.built is None and export.module:
        given += [
            each.built
            for other in found.files
            for each in other.handed
            if each.function == export.function and (other is file or export.function in other.imports)
        ]
    return [Assignment(file, export, built) for built in dict.fromkeys(given or [export.built])]


def _class_of(built: Built | None, found: FoundRepository) -> str:
    """The class of the repository that an expression makes; empty for one of a library."""
    if built is None:
        return ""
    builders, names = _builders(found), {module.name for _, module in _module_classes(found)}
    made = (built.called, builders.get(built.called, ""), built.root)
    return next((name for name in made if name in names), "")


def _candidates(match: Assignment, found: FoundRepository, whole: list[Class]) -> list[str]:
    """The whole models of the conversion's file, or else those that it imports, or else all."""
    builders = _builders(found)
    here = [module.name for file, module in whole if file is match.file]
    seen = {*match.file.imports, *(builders.get(name, name) for name in match.file.imports)}
    imported = [module.name for _, module in whole if module.name in seen]
    return here or imported or [module.name for _, module in whole]


def _unclear(match: Assignment, targets: list[str]) -> str:
    where, export = f"{match.file.path}:{match.export.line}", match.export
    if not targets:
        what = f"`{export.computed}`" if export.computed else "a module"
        return (
            f"{where} converts {what}, and nothing shows how it is built: write a function without "
            "parameters that returns it, and name it as `source`."
        )
    what = f"`{export.function}` ({where})" if export.function else where
    return (
        f"{what} converts a module, and nothing shows which of {listed(targets)}: name it as `convert`, or "
        "its package as `package` and its command as `build`, at the right one."
    )


def _module_classes(found: FoundRepository) -> list[Class]:
    """The classes that inherit from a module, also by way of others of the repository."""
    classes = [(file, each) for file in found.files for each in file.classes]
    known = set(_MODULE_BASES)
    while True:
        more = {each.name for _, each in classes if each.bases & known} - known
        if not more:
            break
        known |= more
    return [(file, each) for file, each in classes if each.bases & known]


def _builders(found: FoundRepository) -> dict[str, str]:
    """The class that each function returns."""
    return {each.function: each.returns for file in found.files for each in file.builders}


def relatives(file: PythonFile, found: FoundRepository, names: frozenset[str]) -> Iterator[PythonFile]:
    """A file, and those that import one of its names."""
    yield file
    yield from (other for other in found.files if other is not file and names & other.imports.keys())
