"""The definition of a rule, its inputs, and its matches."""

import inspect
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from types import ModuleType
from typing import Any, Final, Literal

from coreml_gate.config import ModelConfig
from coreml_gate.mil.index import Index
from coreml_gate.mil.package import Package
from coreml_gate.torch_graph import TorchGraph

Severity = Literal["fatal", "silent", "unknown", "perf", "info"]
SEVERITIES: Final[dict[Severity, str]] = {
    "fatal": "the package cannot be made, does not load, or cannot be called",
    "silent": "it converts and loads, and gives wrong answers without an error",
    "unknown": "what Core ML computes there is not known, so no result of the MIL runtime is evidence",
    "perf": "slower, larger or more memory than it has to be",
    "info": "sound as it stands; breaks under a condition that the program alone does not show",
}
"""The meaning of each severity, gravest first."""

Part = Literal["program", "twins", "package", "graph", "setting"]
"""What a rule looks at: the shipped program, it and its float32 twin, the interface and files, the captured
torch graph, or the configuration with the toolchain's versions."""


@dataclass(frozen=True)
class Match:
    """One place at which a rule fires."""

    place: str
    """An operation, a feature, a module or a version."""
    text: str
    """What was found there, with figures."""
    file: str = ""
    line: int | None = None
    fix: str = ""
    """The fix for this place, if the rule's own is too general."""


@dataclass(frozen=True)
class ProgramPair:
    """The shipped program beside its float32 twin: what half precision did to a constant shows only there."""

    shipped: Index
    wide: Index


@dataclass(frozen=True)
class Setting:
    """The configuration and the installed versions."""

    config: ModelConfig
    coremltools: str
    torch: str
    numpy: str
    python: str


def setting_of(config: ModelConfig) -> Setting:
    """The installed versions, read without importing any of them."""
    return Setting(
        config, version("coremltools"), version("torch"), version("numpy"), platform.python_version()
    )


@dataclass(frozen=True)
class Facts:
    """Everything that rules look at; rules on a part that is ``None`` do not run."""

    setting: Setting
    package: Package | None = None
    program: Index | None = None
    twins: ProgramPair | None = None
    graph: TorchGraph | None = None


@dataclass(frozen=True)
class Rule:
    """One known pitfall: how it is found, the evidence, and the fix."""

    id: str
    severity: Severity
    part: Part
    question: str
    evidence: tuple[str, ...]
    """``owner/repository#number``, an address, or ``measured: ...`` for what this project saw itself."""
    fix: str
    """A sentence, then code from the next line on where there is some."""
    find: Callable[[Any], Iterable[Match]]
    versions: str = "all"
    """The coremltools versions for which it holds."""

    def matches(self, facts: Facts) -> Iterator[Match]:
        """The places where it matches; none if the part that it looks at is missing."""
        part = getattr(facts, self.part)
        if part is not None:
            yield from self.find(part)


Finder = Callable[[Any], Iterable[Match]]


def rule(
    name: str,
    severity: Severity,
    *,
    on: Part,
    evidence: tuple[str, ...],
    fix: str,
    versions: str = "all",
) -> Callable[[Finder], Rule]:
    """Make the decorated function a rule; its docstring is the rule's question.

    :param on: The part of :class:`Facts` that the function takes.
    """

    def made(find: Finder) -> Rule:
        return Rule(name, severity, on, inspect.cleandoc(find.__doc__ or ""), evidence, fix, find, versions)

    return made


def rules_of(*modules: ModuleType) -> tuple[Rule, ...]:
    """The rules that these modules define, in source order."""
    return tuple(item for module in modules for item in vars(module).values() if isinstance(item, Rule))
