"""The findings of a scan of a repository, as frozen values; every path is relative to its root."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Dtype = Literal["float32", "int32"]


@dataclass(frozen=True)
class Image:
    """What a script declares of an image input."""

    color: str
    """Empty if it is computed."""
    scale: float | None
    """``None`` if it is computed."""
    bias: tuple[float, ...] | None
    """``None`` if it is computed."""

    @property
    def is_known(self) -> bool:
        """Whether all of it is known."""
        return bool(self.color) and self.scale is not None and self.bias is not None


@dataclass(frozen=True)
class InputShape:
    """One input of a model as in the repository's own code."""

    shape: tuple[int, ...]
    dtype: Dtype = "float32"
    name: str = ""
    """Empty if the code gives none."""
    image: Image | None = None
    """Whether the package takes an image there."""


@dataclass(frozen=True)
class Example:
    """The inputs of one call or conversion, and their place in the code."""

    inputs: tuple[InputShape, ...]
    line: int
    axis: int | None = None
    """The only axis whose size is known, where a layer shows what it takes."""

    def agrees(self, layer: "Example | None") -> bool:
        """Whether the layer takes the first of these inputs, as far as it shows."""
        if layer is None:
            return True
        given, taken = self.inputs[0], layer.inputs[0]
        if given.dtype != taken.dtype or layer.axis is None:
            return given.dtype == taken.dtype
        return len(given.shape) > abs(layer.axis) and given.shape[layer.axis] == taken.shape[layer.axis]


@dataclass(frozen=True)
class ModuleClass:
    """A subclass of ``torch.nn.Module`` or of a LightningModule."""

    name: str
    line: int
    required: tuple[str, ...]
    """Parameters of the constructor without a default."""
    bases: frozenset[str]
    parts: frozenset[str]
    """Names that its body calls; a class that another one builds is a part, not a model."""
    parameters: tuple[str, ...] = ()
    """Names of the inputs of ``forward``."""
    first_layer: Example | None = None
    """The shape that the first layer takes: a guess if the code has no example."""


@dataclass(frozen=True)
class Built:
    """An expression of calls and literals that builds something."""

    text: str
    names: frozenset[str]
    """What it needs to be defined or imported."""
    called: str
    """The last name of the outermost call: ``Net`` of ``nets.Net(build())``."""
    root: str = ""
    """The first name of the outermost call: ``nets`` there."""
    inner: frozenset[str] = frozenset()
    """The last names of the calls among its arguments."""
    label: str = ""
    """Its first literal text, as the name in ``create_model("resnet18")``."""


@dataclass(frozen=True)
class Handed:
    """A call that gives a function of the repository what was built."""

    function: str
    built: Built


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
    """The function to call for it; empty at the top of the file."""
    required: tuple[str, ...] = ()
    """Required parameters of that function."""
    module: str = ""
    """The parameter that is captured; empty if something else is."""
    built: Built | None = None
    """What is captured, if the code builds it from literals."""
    computed: str = ""
    """What is captured, as it stands in the code."""
    returns: bool = False
    """Whether that function returns something."""
    declared: tuple[InputShape, ...] = ()
    """The inputs that the conversion declares; without a shape where it is computed."""
    traced: Example | None = None
    """The inputs with which the module is captured."""
    target: str = ""
    """``iOS17``; empty if the call names none."""
    saved_as: str = ""
    """The package that the file saves; empty if its name is computed."""
    options: tuple[str, ...] = ()
    """Options without which the script ends."""
    loads_weights: int | None = None
    """The line that loads weights into a module."""
    weights: str = ""
    """The file of an ultralytics-style model; empty for ``coremltools.convert``."""

    @property
    def inputs(self) -> Example | None:
        """The inputs with their shapes, declared or captured; ``None`` if neither is known."""
        if self.declared and all(each.shape for each in self.declared):
            return Example(self.declared, self.line)
        if self.traced is None or len(self.declared) != len(self.traced.inputs):
            return self.traced
        pairs = zip(self.traced.inputs, self.declared, strict=True)
        named = tuple(replace(given, name=each.name, image=each.image) for given, each in pairs)
        return replace(self.traced, inputs=named)


@dataclass(frozen=True)
class PythonFile:
    """The findings in one Python file."""

    path: str
    classes: tuple[ModuleClass, ...] = ()
    builders: tuple[Builder, ...] = ()
    constructions: tuple[Built, ...] = ()
    handed: tuple[Handed, ...] = ()
    loaders: tuple[Loader, ...] = ()
    samples_line: int | None = None
    """The line of a function `samples` without required parameters."""
    exports: tuple[CoreMlExport, ...] = ()
    examples: tuple[Example, ...] = ()
    imports: Mapping[str, str] = field(default_factory=dict)
    """The statement that imports each name; empty for a relative import."""
    defines: frozenset[str] = frozenset()
    """The functions and classes at its top."""


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
    notebook_modules: tuple[str, ...] = ()
    """Other notebooks that define a module."""
    unread: tuple[str, ...] = ()
    """Python files that do not parse."""
    requirements: str = ""
    """The models' own requirements file; empty if there is none."""
    uses_lfs: bool = False
