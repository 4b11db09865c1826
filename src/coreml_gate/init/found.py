"""What a look through a repository finds, as frozen values; every path is relative to its root."""

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["float32", "int32"]


@dataclass(frozen=True)
class InputShape:
    """One input of a model as the repository's own code writes it."""

    shape: tuple[int, ...]
    dtype: Dtype = "float32"
    name: str = ""
    """Empty where the code gives none."""


@dataclass(frozen=True)
class Example:
    """The inputs of one call or conversion, and where they stand."""

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
    """Names that its body calls: a class that another one builds is a part, not a model."""
    parameters: tuple[str, ...] = ()
    """Names of the inputs of ``forward``."""
    first_layer: Example | None = None
    """The shape that the first layer takes: a guess where no example is written down."""


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
    """``iOS17``; empty where the call names none."""
    saved_as: str = ""
    """The package that the file saves; empty where its name is computed."""
    weights: str = ""
    """The file of an ultralytics-style model; empty for ``coremltools.convert``."""


@dataclass(frozen=True)
class PythonFile:
    """What one Python file holds."""

    path: str
    classes: tuple[ModuleClass, ...] = ()
    builders: tuple[Builder, ...] = ()
    constructions: tuple[Construction, ...] = ()
    loaders: tuple[Loader, ...] = ()
    samples_line: int | None = None
    """Where a function `samples` without required parameters stands."""
    exports: tuple[CoreMlExport, ...] = ()
    examples: tuple[Example, ...] = ()
    imports: frozenset[str] = frozenset()
    """Names that ``from ... import`` brings into the file."""


@dataclass(frozen=True)
class StoredPackage:
    """A ``.mlpackage`` that the repository holds."""

    path: str
    in_lfs: bool
    """Whether its files are pointers of Git LFS here."""


@dataclass(frozen=True)
class FoundRepository:
    """Everything that was found."""

    files: tuple[PythonFile, ...] = ()
    packages: tuple[StoredPackage, ...] = ()
    notebooks: tuple[str, ...] = ()
    """Notebooks that convert to Core ML."""
    unread: tuple[str, ...] = ()
    """Python files that do not parse."""
    requirements: str = ""
    """The file of the models' own requirements; empty when there is none."""
    uses_lfs: bool = False
