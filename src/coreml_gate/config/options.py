"""``coreml-gate.toml``, or ``[tool.coreml-gate]`` of pyproject.toml, as frozen values with all defaults."""

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
"""Names become folders, artifact names and table rows: letters, digits, dot, underscore and hyphen."""

IOSVersion = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]?(\.[0-9]+)*$")]
"""A version of iOS or iPadOS, of which only the first number counts."""

Range = Annotated[tuple[PositiveInt, int], Field(min_length=2, max_length=2)]
"""Least and greatest size of a flexible dimension; -1 as the greatest means no bound."""
Dimension = PositiveInt | Range


class ImageInput(Table):
    """Makes an input an image: Core ML hands pixels over as ``pixel * scale + bias``."""

    color: Literal["RGB", "BGR", "GRAYSCALE"] = "RGB"
    """Order of the colour channels."""
    scale: float = 1.0
    """Factor for every pixel."""
    bias: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Summand for each channel."""


class ModelInput(Table):
    """One input of the model; whatever is not said is taken from the first sample."""

    name: str
    """Name of the input in the package."""
    shape: tuple[Dimension, ...] | None = None
    """A number fixes a dimension, ``[1, 512]`` ranges over it; the first sample gives the default."""
    shapes: tuple[tuple[PositiveInt, ...], ...] | None = None
    """Enumerated shapes: the package takes exactly these; the first one is its default."""
    dtype: Literal["float16", "float32", "int32"] | None = None
    """Element type in the package (float16 needs iOS16); the first sample gives the default."""
    image: ImageInput | None = None
    """Whether the app hands over an image instead of an array."""


class Compression(Table):
    """Weights made smaller after conversion by coremltools.optimize."""

    method: Literal["linear-int8", "linear-int4", "palettize", "prune"]
    """Linear quantisation to 8 or 4 bits (4: iOS18), tables of shared values, or zeros for small weights."""
    bits: Literal[1, 2, 3, 4, 6, 8] = 8
    """Bits per weight of a palettised table; the linear methods say theirs in their names."""
    block_size: PositiveInt | None = None
    """Elements that share one scale (iOS18 only); nothing means one scale per channel."""
    sparsity: float = Field(default=0.5, gt=0, lt=1)
    """Share of the weights that `prune` sets to zero, the smallest ones of each layer."""
    weight_threshold: int = Field(default=2048, ge=0)
    """Weights with no more elements than this stay as they are."""


class Converter(Table):
    """What is passed on to ``coremltools.convert``."""

    skip_passes: tuple[str, ...] = ()
    """Graph passes to leave out, as ``common::fuse_conv_batchnorm``."""


class RuleOptions(Table):
    """Rules to switch off, each with a reason; `coreml-gate rules` lists them."""

    off: dict[str, Annotated[str, StringConstraints(min_length=1)]] = Field(default_factory=dict)
    """Rules that are switched off, each with the reason: `{ "run-time-gather" = "the table is small" }`."""


class ModelOptions(Table):
    """What a model may say for itself and ``[gate]`` may say for all of them."""

    precision: Precision = "float16"
    """Compute precision of the package that ships."""
    keep_fp32: tuple[str, ...] = ()
    """Operations of a float16 package that stay in float32: `Module/type` or names, each may be a glob."""
    deployment_target: DeploymentTarget = "iOS17"
    """Oldest system on which the package must load."""
    conversion: ChosenRoute = "auto"
    """By ``torch.export`` as coremltools documents it, by ``torch.export`` with torch's core decompositions
    (``run_decompositions()``), by ``torch.jit.trace``, or by the first of them that succeeds."""
    adversarial: bool = True
    """Whether changed samples (scaled, rounded, zero, equal, ...) are tried as well; it costs seconds."""
    diagnose_budget_s: PositiveFloat = 120.0
    """After how long the search for the cause of a failure ends and reports what it has; a conversion that
    was begun is finished. Twice the 60 s that the search for operations to keep in FP32 may take: the other
    stages get as much."""
    litert: bool = False
    """Whether the source is run through LiteRT as well, for comparison, where `litert-torch` is installed."""
    compute_units: ComputeUnits = "ALL"
    """On which hardware Core ML may run the package."""
    compress: Compression | None = None
    """Whether weights are made smaller after conversion."""
    converter: Converter = Converter()
    """What is passed on to the converter."""
    devices: tuple[str, ...] = ()
    """Devices on which the model must fit and load, by the names that `coreml-gate devices` lists."""
    minimum_os: IOSVersion | None = None
    """Oldest iOS of the app, as `"17"`: it must fit all devices that run it, unless `devices` names some."""
    watch: tuple[str, ...] = ()
    """Glob patterns of files, relative to the repository, on which the model depends besides its imports."""
    rules: RuleOptions = RuleOptions()
    """Rules to switch off, each with a reason."""
    limits: Limits = Limits()
    """How much each check allows."""


class ModelVariant(Table):
    """Another package of a model, measured beside the one that ships; what it leaves out is the model's."""

    name: ModelName
    """Name in reports and folders, unique within its model."""
    source: str | None = None
    """Another architecture, named as `source` of a model; it takes the model's samples."""
    precision: Precision | None = None
    """Compute precision of the variant."""
    keep_fp32: tuple[str, ...] | None = None
    """Operations that stay in float32."""
    deployment_target: DeploymentTarget | None = None
    """Oldest system on which it must load."""
    conversion: ChosenRoute | None = None
    """Which route is taken."""
    compute_units: ComputeUnits | None = None
    """On which hardware Core ML may run it."""
    compress: Annotated[Compression | None, BeforeValidator(none_for_false, Compression | Literal[False])] = (
        None
    )
    """How its weights are made smaller; `false` leaves them as they are where the model's are smaller."""
    converter: Converter | None = None
    """What is passed on to the converter."""
    limits: Limits = Limits()
    """Limits that differ from the model's, key by key; failing one makes it ineligible and blocks nothing."""


class ModelConfig(ModelOptions):
    """One model under the gate."""

    name: ModelName
    """Name in reports, folders and artifacts: letters, digits, dot, underscore and hyphen."""
    source: str
    """A ``file.py:callable``, a ``package.module:callable``, a ``.pt2``, TorchScript or ``.mlpackage``."""
    function: str | None = None
    """Of a ``.mlpackage`` with several functions, the one to measure; nothing means its default one."""
    samples: str | None = None
    """``file.py:callable`` that yields example inputs: tensors, tuples of tensors or dicts by input name."""
    evaluate: str | None = None
    """``file.py:callable`` that takes a ``predict`` function and returns numbers by metric name."""
    convert: str | None = None
    """``file.py:callable``, the team's own conversion: called with the source's module, or with nothing, it
    returns an ``MLModel`` or the path of a saved one. That package is judged instead of one of the gate's."""
    package: str | None = None
    """Path of the ``.mlpackage`` that the team ships, judged instead of one that the gate converts."""
    build: tuple[str, ...] = ()
    """Command that writes `package`, run in the repository before it is read: `["python", "export.py"]`."""
    input: tuple[ModelInput, ...] = ()
    """What to know of the inputs beyond the first sample, each a ``[[model.input]]``."""
    output: tuple[str, ...] = ()
    """Names for the outputs, in the source's order; without them the source's own: keys, or `output_0`."""
    variant: tuple[ModelVariant, ...] = ()
    """Other packages to compare with the one that ships, each a ``[[model.variant]]``."""


class GateOptions(ModelOptions):
    """The ``[gate]`` table: how the gate works, and the defaults that every model inherits."""

    jobs: Literal["auto"] | PositiveInt = "auto"
    """How many models are measured at once: `auto` is one per core, a number at most so many; never more than
    memory allows, by what a model held before or by the size of its files. Times are taken one by one."""
    fail_on_unsure: bool = False
    """Whether an unsure finding blocks as a failure does."""
    max_samples: PositiveInt = 8
    """How many samples are compared: one is not representative (40.6 dB on one input, 47 to 52 on others)."""
    step_timeout_s: PositiveFloat = 900.0
    """How long building, converting or measuring one model may take, each."""
    step_memory_mb: PositiveFloat | None = None
    """Resident memory at which the child process is ended; nothing means no limit."""
    time_budget_s: PositiveFloat = 300.0
    """How long one model may be timed on a Mac; what is not known by then is unsure."""
    core_ml_timeout_s: PositiveFloat = 300.0
    """How long compiling, loading or predicting with Core ML may take on a Mac, each."""
    core_ml_units: tuple[ComputeUnits, ...] | None = None
    """Hardware to try on a Mac; nothing means CPU_ONLY on GitHub's own runners, and all on other Macs."""
    toolchain: tuple[str, ...] = (
        "constraints*.txt",
        "requirements*.txt",
        "uv.lock",
        "poetry.lock",
        "pyproject.toml",
        ".python-version",
    )
    """Glob patterns of the files that pin versions: a change in one of them changes every model."""


class Config(Table):
    """The whole configuration: the gate's own options, and the models, each with what it inherited."""

    gate: GateOptions = GateOptions()
    """How the gate works, and what every model inherits."""
    model: tuple[ModelConfig, ...] = Field(min_length=1)
    """The models under the gate, each a ``[[model]]``."""
