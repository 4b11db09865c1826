"""The findings of a scan of a repository, as frozen values; every path is relative to its root."""

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["float32", "int32"]


@dataclass(frozen=True)
class InputShape:
    """One input of a model as in the repository's own code."""

    shape: tuple[int, ...]
    dtype: Dtype = "float32"
    name: str = ""
    """Empty if the code gives none."""


@dataclass(frozen=True)
class Example:
    """The inputs of one call or conversion, and their place in the code."""

    inputs: tuple[InputShape, ...]
    line: int


@dataclass(frozen=True)
class ModuleClass:
    """A subclass of ``torch.nn.Module`` or of a LightningModule."""

    name: str
    line: int
    required: tuple[str, ...]
    """Parameters of the constructor without a default."""
    parts: frozenset[str]
    """Names that its body calls; a class that another one builds is a part, not a model."""
    parameters: tuple[str, ...] = ()
    """Names of the inputs of ``forward``."""
    first_layer: Example | None = None
    """The shape that the first layer takes: a guess if the code has no example."""


@dataclass(frozen=True)
class Construction:
    """A call that builds a module class with literal arguments."""

    name: str
    arguments: str
    """Source text between the parentheses."""


@dataclass(frozen=True)
class Builder:
    """A function without required parameters that returns a module class."""

    function: str
    line: int
    returns: str


@dataclass(frozen=True)
class Loader:
    """A function without required parameters that returns a ``DataLoader``."""

    function: str
    line: int


@dataclass(frozen=True)
class CoreMlExport:
    """A call of ``coremltools.convert``, or an exporter's ``export(format="coreml")``."""

    line: int
    function: str = ""
    """The function around it; empty at the top of the file."""
    takes: int = 0
    """Required parameters of that function."""
    returns: bool = False
    """Whether that function returns something."""
    example: Example | None = None
    target: str = ""
    """``iOS17``; empty if the call names none."""
    saved_as: str = ""
    """The package that the file saves; empty if its name is computed."""
    weights: str = ""
    """The file of an ultralytics-style model; empty for ``coremltools.convert``."""


@dataclass(frozen=True)
class PythonFile:
    """The findings in one Python file."""

    path: str
    classes: tuple[ModuleClass, ...] = ()
    builders: tuple[Builder, ...] = ()
    constructions: tuple[Construction, ...] = ()
    loaders: tuple[Loader, ...] = ()
    samples_line: int | None = None
    """The line of a function `samples` without required parameters."""
    exports: tuple[CoreMlExport, ...] = ()
    examples: tuple[Example, ...] = ()
    imports: frozenset[str] = frozenset()
    """Names that ``from ... import`` imports into the file."""


@dataclass(frozen=True)
class StoredPackage:
    """A ``.mlpackage`` in the repository."""

    path: str
    in_lfs: bool
    """Whether its files are Git LFS pointers in this clone."""


@dataclass(frozen=True)
class FoundRepository:
    """All findings."""

    files: tuple[PythonFile, ...] = ()
    packages: tuple[StoredPackage, ...] = ()
    notebooks: tuple[str, ...] = ()
    """Notebooks that convert to Core ML."""
    unread: tuple[str, ...] = ()
    """Python files that do not parse."""
    requirements: str = ""
    """The models' own requirements file; empty if there is none."""
    uses_lfs: bool = False
