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
    "silent": "it converts and loads, but returns wrong results without an error",
    "unknown": "what Core ML computes there is not known, so a result of the MIL runtime proves nothing",
    "perf": "slower or larger than necessary, or needs more memory",
    "info": "correct as it is, but breaks under a condition that the program alone does not show",
}
"""The meaning of each severity, most severe first."""

Part = Literal["program", "twins", "package", "graph", "setting"]
"""What a rule reads: the shipped program, the program and its float32 twin, the package's interface and
files, the captured torch graph, or the configuration with the toolchain's versions."""


@dataclass(frozen=True)
class Match:
    """One place where a rule matches."""

    place: str
    """An operation, a feature, a module or a version."""
    text: str
    """What was found there, with numbers."""
    file: str = ""
    line: int | None = None
    fix: str = ""
    """A fix for this place, if the rule's own is too general."""


@dataclass(frozen=True)
class ProgramPair:
    """The shipped program and its float32 twin: only the pair shows how FP16 changed a constant."""

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
    """Everything that rules read; rules on a part that is ``None`` do not run."""

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
    summary: str
    """The pitfall, in one sentence."""
    evidence: tuple[str, ...]
    """``owner/repository#number``, an address, or ``measured: ...`` for this project's own measurements."""
    fix: str
    """A sentence, then code from the second line on, if any."""
    find: Callable[[Any], Iterable[Match]]
    versions: str = "all"
    """The coremltools versions that are affected."""

    def matches(self, facts: Facts) -> Iterator[Match]:
        """The places where it matches; none if the part that it reads is missing."""
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
    """Make the decorated function a rule; its docstring is the rule's summary.

    :param on: The part of :class:`Facts` that the function takes.
    """

    def made(find: Finder) -> Rule:
        return Rule(name, severity, on, inspect.cleandoc(find.__doc__ or ""), evidence, fix, find, versions)

    return made


def rules_of(*modules: ModuleType) -> tuple[Rule, ...]:
    """The rules that these modules define, in source order."""
    return tuple(item for module in modules for item in vars(module).values() if isinstance(item, Rule))
