"""How is a module built without arguments, and how does the team convert it today? What ships is judged."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from coreml_gate.init.found import CoreMlExport, FoundRepository, ModuleClass, PythonFile
from coreml_gate.init.glue import MODULE, function, reference

_TARGETS: Final = ("iOS15", "iOS16", "iOS17", "iOS18")


@dataclass(frozen=True)
class ProposedExport:
    """The configuration's keys on the team's own conversion; all empty: the gate converts."""

    reason: str = ""
    convert: str = ""
    package: str = ""
    build: tuple[str, ...] = ()
    target: str = ""


@dataclass(frozen=True)
class ProposedSource:
    """A reference for ``source``, what it needs, and why it was chosen."""

    reference: str
    reason: str
    glue: tuple[str, ...] = ()


def propose_source(
    module: ModuleClass, file: PythonFile, found: FoundRepository, name: str
) -> ProposedSource | None:
    """A builder of the same file, the class itself, or a call with literal arguments; else ``None``."""
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


def export_of(
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


def propose_export(file: PythonFile, export: CoreMlExport) -> ProposedExport:
    """A function that gives the package, or a script that saves it; else the gate converts itself."""
    where, target = f"{file.path}:{export.line}", export.target if export.target in _TARGETS else ""
    if export.function and export.returns and export.takes <= 1:
        reason = f"`{export.function}` converts ({where}): its package is the one that is judged"
        return ProposedExport(reason, convert=f"{file.path}:{export.function}", target=target)
    if export.saved_as:
        return _script(file, export.saved_as, f"{where} converts", target)
    reason = f"{where} converts, but neither returns a package nor saves one under a fixed name"
    return ProposedExport(f"{reason}: the gate converts by itself", target=target)


def propose_exporter(file: PythonFile, export: CoreMlExport) -> ProposedExport:
    """A library's own exporter, which saves the package beside the weights."""
    package = PurePosixPath(export.weights).with_suffix(".mlpackage").as_posix()
    return _script(file, package, f"{file.path}:{export.line} exports `{export.weights}`", "")


def _script(file: PythonFile, package: str, what: str, target: str) -> ProposedExport:
    reason = f"{what} and saves `{package}`: that package is the one that is judged"
    return ProposedExport(reason, package=package, build=("python", file.path), target=target)
