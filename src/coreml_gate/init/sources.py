"""How is a module built without arguments, which is how the gate builds it?"""

from dataclasses import dataclass

from coreml_gate.init.found import FoundRepository, ModuleClass, PythonFile
from coreml_gate.init.glue import MODULE, function, reference


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
