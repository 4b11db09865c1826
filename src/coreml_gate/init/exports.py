"""How does the team convert a model today? What ships is what is judged."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from coreml_gate.init.found import CoreMlExport, FoundRepository, ModuleClass, PythonFile

_TARGETS: Final = ("iOS15", "iOS16", "iOS17", "iOS18")


@dataclass(frozen=True)
class ProposedExport:
    """The configuration's keys on the team's own conversion; all empty: the gate converts."""

    reason: str = ""
    convert: str = ""
    package: str = ""
    build: tuple[str, ...] = ()
    target: str = ""


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
