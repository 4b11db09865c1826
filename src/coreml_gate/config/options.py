"""The options of ``coreml-gate.toml`` (or ``[tool.coreml-gate]`` of pyproject.toml) with all defaults."""

from typing import Annotated, Final, Literal, get_args

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, StringConstraints

from coreml_gate.config.limits import Limits, none_for_false
from coreml_gate.config.table import Table

DeploymentTarget = Literal["iOS15", "iOS16", "iOS17", "iOS18"]
DEPLOYMENT_TARGETS: Final[tuple[DeploymentTarget, ...]] = get_args(DeploymentTarget)
"""Oldest first."""
Precision = Literal["float16", "float32"]
ChosenRoute = Literal["auto", "export", "decomposed", "trace"]
ComputeUnits = Literal["ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE"]

ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""Letters, digits, dot, underscore and hyphen: names become folders, artifact names and table rows."""

IOSVersion = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]?(\.[0-9]+)*$")]
"""A version of iOS or iPadOS; only the first number counts."""

Range = Annotated[tuple[PositiveInt, int], Field(min_length=2, max_length=2)]
"""Minimum and maximum size of a flexible dimension; a maximum of -1 means no bound."""
Dimension = PositiveInt | Range


class ImageInput(Table):
    """Makes an input an image, whose pixels Core ML passes as ``pixel * scale + bias``."""

    color: Literal["RGB", "BGR", "GRAYSCALE"] = "RGB"
    """Order of the colour channels."""
    scale: float = 1.0
    """Factor for every pixel."""
    bias: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Offset of each channel."""


class ModelInput(Table):
    """One input of the model; whatever is not set is taken from the first sample."""

    name: str
    """Name of the input in the package."""
    shape: tuple[Dimension, ...] | None = None
    """A number fixes a dimension, ``[1, 512]`` makes it flexible; the default is the first sample's shape."""
    shapes: tuple[tuple[PositiveInt, ...], ...] | None = None
    """Enumerated shapes: the package takes exactly these, the first by default."""
    dtype: Literal["float16", "float32", "int32"] | None = None
    """Element type in the package (float16 needs iOS16); the default is the first sample's."""
    image: ImageInput | None = None
    """Whether the app passes an image instead of an array."""


class Compression(Table):
    """Compression of the weights after conversion, by coremltools.optimize."""

    method: Literal["linear-int8", "linear-int4", "palettize", "prune"]
    """Linear quantisation to 8 or 4 bits (4: iOS18), palettes of shared values, or zeroing small weights."""
    bits: Literal[1, 2, 3, 4, 6, 8] = 8
    """Bits per weight of `palettize`; the linear methods have theirs in their names."""
    block_size: PositiveInt | None = None
    """Elements that share one scale (iOS18 only); the default is one scale per channel."""
    sparsity: float = Field(default=0.5, gt=0, lt=1)
    """Share of the weights of each layer that `prune` sets to zero, the smallest ones."""
    weight_threshold: int = Field(default=2048, ge=0)
    """Weights with at most this many elements are left as they are."""


class Converter(Table):
    """Options for ``coremltools.convert``."""

    skip_passes: tuple[str, ...] = ()
    """Graph passes to leave out, such as ``common::fuse_conv_batchnorm``."""


class RuleOptions(Table):
    """Rules to switch off, each with a reason; `coreml-gate rules` lists them."""

    off: dict[str, Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]] = Field(
        default_factory=dict
    )
    """Rules that are switched off, each with the reason: `{ "run-time-gather" = "the table is small" }`."""


class ModelOptions(Table):
    """Options that a model may set for itself, and ``[gate]`` for all models."""

    precision: Precision = "float16"
    """Compute precision of the package that ships."""
    keep_fp32: tuple[str, ...] = ()
    """Operations of a float16 package that stay in float32: `Module/type` or names, which may be globs."""
    deployment_target: DeploymentTarget = "iOS17"
    """Oldest system on which the package must load."""
    conversion: ChosenRoute = "auto"
    """``torch.export`` as coremltools documents it, ``torch.export`` with torch's core decompositions
    (``run_decompositions()``), ``torch.jit.trace``, or the first of these that succeeds."""
    adversarial: bool = True
    """Whether to try perturbed samples (scaled, rounded, zero, equal, ...) as well, which takes seconds."""
    diagnose_budget_s: PositiveFloat = 120.0
    """Seconds after which the search for the cause of a failure stops and reports what it has; a conversion
    in progress is finished. The default is twice the 60 s that the search for operations to keep in FP32 may
    take, so that the other stages get as much."""
    litert: bool = False
    """Whether to convert and run the source with LiteRT as well, for comparison (needs `litert-torch`)."""
    compute_units: ComputeUnits = "ALL"
    """Compute units on which Core ML may run the package."""
    compress: Compression | None = None
    """Compression of the weights."""
    converter: Converter = Converter()
    """Options for the converter."""
    devices: tuple[str, ...] = ()
    """Devices on which the model must fit and load, by the names that `coreml-gate devices` lists."""
    minimum_os: IOSVersion | None = None
    """Oldest iOS of the app, such as `"17"`: the model must fit all devices that run it, unless `devices` is
    set."""
    watch: tuple[str, ...] = ()
    """Glob patterns of further files, relative to the repository, that the model depends on."""
    rules: RuleOptions = RuleOptions()
    """Rules to switch off, each with a reason."""
    limits: Limits = Limits()
    """How much each check allows."""


class ModelVariant(Table):
    """Another package of a model, measured beside the one that ships; it inherits what it does not set."""

    name: ModelName
    """Name in reports and folders, unique within the model."""
    source: str | None = None
    """Another architecture, named like a model's `source`; it takes the model's samples."""
    precision: Precision | None = None
    """Compute precision of the variant."""
    keep_fp32: tuple[str, ...] | None = None
    """Operations that stay in float32."""
    deployment_target: DeploymentTarget | None = None
    """Oldest system on which it must load."""
    conversion: ChosenRoute | None = None
    """Conversion route."""
    compute_units: ComputeUnits | None = None
    """Compute units on which Core ML may run it."""
    compress: Annotated[Compression | None, BeforeValidator(none_for_false, Compression | Literal[False])] = (
        None
    )
    """Compression of its weights; `false` switches the model's compression off."""
    converter: Converter | None = None
    """Options for the converter."""
    limits: Limits = Limits()
    """Limits that differ from the model's; failing one makes the variant ineligible but blocks nothing."""


class ModelConfig(ModelOptions):
    """One model to check."""

    name: ModelName
    """Name in reports, folders and artifacts: letters, digits, dot, underscore and hyphen."""
    source: str
    """A ``file.py:callable``, a ``package.module:callable``, a ``.pt2``, TorchScript or ``.mlpackage``."""
    function: str | None = None
    """The function of a ``.mlpackage`` to measure, if it has several; by default, its default function."""
    samples: str | None = None
    """``file.py:callable`` that yields example inputs: tensors, tuples of tensors or dicts by input name."""
    evaluate: str | None = None
    """``file.py:callable`` that takes a ``predict`` function and returns numbers by metric name."""
    convert: str | None = None
    """``file.py:callable``, the team's own conversion: called with the source's module or without arguments,
    it returns an ``MLModel`` or the path of a saved one. The gate judges that package instead of its own."""
    package: str | None = None
    """Path of the ``.mlpackage`` that the team ships; the gate judges it instead of its own conversion."""
    build: tuple[str, ...] = ()
    """Command that writes `package`, run in the repository: `["python", "export.py"]`."""
    input: tuple[ModelInput, ...] = ()
    """Inputs that differ from the first sample, each a ``[[model.input]]``."""
    output: tuple[str, ...] = ()
    """Names of the outputs, in the source's order; by default its own (keys, or `output_0`)."""
    variant: tuple[ModelVariant, ...] = ()
    """Other packages to compare with the one that ships, each a ``[[model.variant]]``."""


class GateOptions(ModelOptions):
    """The ``[gate]`` table: how the gate works, and defaults for every model."""

    jobs: Literal["auto"] | PositiveInt = "auto"
    """Number of models measured in parallel: `auto` for one per core, or a maximum; never more than memory
    allows, by what a model needed last time or by the size of its files. Times are taken one by one."""
    fail_on_unsure: bool = False
    """Whether an unsure finding blocks like a failure."""
    max_samples: PositiveInt = 8
    """Number of samples compared; one is not enough (40.6 dB on one input, 47 to 52 dB on others)."""
    step_timeout_s: PositiveFloat = 900.0
    """Seconds that each step of building, converting or measuring one model may take."""
    step_memory_mb: PositiveFloat | None = None
    """Resident memory at which the child process is killed; by default unlimited."""
    time_budget_s: PositiveFloat = 300.0
    """Seconds that timing one model on a Mac may take; what is undecided by then is unsure."""
    core_ml_timeout_s: PositiveFloat = 300.0
    """Seconds that compiling, loading or predicting with Core ML on a Mac may take, each."""
    core_ml_units: tuple[ComputeUnits, ...] | None = None
    """Compute units to try on a Mac; by default CPU_ONLY on GitHub's own runners, and all on other Macs."""
    toolchain: tuple[str, ...] = (
        "constraints*.txt",
        "requirements*.txt",
        "requirements/**",
        *("uv.lock", "poetry.lock", "pdm.lock", "pylock*.toml"),
        *("Pipfile", "Pipfile.lock", "pixi.toml", "pixi.lock"),
        *("environment*.yml", "environment*.yaml", "conda-lock.yml"),
        *("pyproject.toml", "setup.py", "setup.cfg"),
        *(".python-version", ".tool-versions"),
    )
    """Glob patterns of files that pin versions; a change in one of them changes every model."""


class Config(Table):
    """The whole configuration: the gate's own options, and the models with everything they inherit."""

    gate: GateOptions = GateOptions()
    """How the gate works, and defaults for every model."""
    model: tuple[ModelConfig, ...] = Field(min_length=1)
    """The models to check, each a ``[[model]]``."""
