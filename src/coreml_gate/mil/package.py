"""Reads a ``.mlpackage``: parses the specification, maps the weights, and checks everything."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from coreml_gate.errors import PackageError
from coreml_gate.mil.decode import decode_interfaces, decode_program
from coreml_gate.mil.ir import Function, Interface, Program
from coreml_gate.mil.proto import parse_model
from coreml_gate.mil.weights import Weights, is_file, lies_within
from coreml_gate.reading import read_bytes
from coreml_gate.untyped import Message
from coreml_gate.wording import listed

# Specification version -> what Xcode and coremltools call the deployment target (coremltools'
# AvailableTarget).
_TARGETS = {5: "iOS14", 6: "iOS15", 7: "iOS16", 8: "iOS17", 9: "iOS18", 10: "iOS26"}
_PIPELINES = frozenset({"pipelineClassifier", "pipelineRegressor"})
_DATE = "com.github.apple.coremltools.conversion_date"
_CONVERT = 'convert it with coremltools.convert(..., convert_to="mlprogram") and save it as .mlpackage.'

_SHOWN = 80
"""Characters of foreign text in a message."""
_ONE_BY_ONE = "pass its models one by one, or run the whole pipeline with coreml_gate.runtime.load_pipeline."


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """One package; ``interfaces`` has a key per function, ``spec`` is the ``Model`` message."""

    path: Path
    spec: Message
    program: Program
    interfaces: Mapping[str, Interface]
    default_function: str
    weights: Weights
    program_bytes: int
    weight_bytes: int
    total_bytes: int

    @property
    def specification_version(self) -> int:
        """The version that Core ML compares with what the system can load."""
        return int(self.spec.specificationVersion)

    @property
    def deployment_target(self) -> str:
        """The oldest iOS that loads this package, such as ``iOS17``."""
        return _TARGETS.get(self.specification_version, f"specification version {self.specification_version}")

    @property
    def opset(self) -> int:
        """The default function's opset, as the iOS version that introduced it."""
        return self.function().opset

    @property
    def interface(self) -> Interface:
        """The default function's interface.

        :raises PackageError: The package has no function of the default's name.
        """
        self.function()
        return self.interfaces[self.default_function]

    def function(self, name: str | None = None) -> Function:
        """A function by name; without a name, the default one.

        :raises PackageError: There is none of this name.
        """
        name = self.default_function if name is None else name
        if name not in self.program.functions or name not in self.interfaces:
            known = listed(self.program.functions)
            raise PackageError(f"{self.path}: there is no function `{name}`.", f"the functions are {known}.")
        return self.program.functions[name]

    @property
    def other_functions(self) -> tuple[str, ...]:
        """The names of all functions but the default one."""
        return tuple(name for name in self.interfaces if name != self.default_function)

    def choosing(self, function: str | None) -> "Package":
        """The same package with another default function; ``None`` keeps it.

        :raises PackageError: There is none of this name.
        """
        if function is None:
            return self
        self.function(function)
        return replace(self, default_function=function)

    def fingerprint(self) -> str:
        """A text that is equal for packages with the same program and weights, whenever they were saved.

        The files differ with each save, by protobuf's map order, the manifest's random identifiers and the
        conversion date. So the specification is serialised again, ordered and without the date.
        """
        spec = type(self.spec).FromString(self.spec.SerializeToString())
        spec.description.metadata.userDefined.pop(_DATE, None)
        digest = hashlib.sha256(spec.SerializeToString(deterministic=True))
        for name, data in self.weights.mapped():
            digest.update(f"\0{name}\0".encode() + hashlib.sha256(data.data).digest())
        return digest.hexdigest()


def read_package(path: Path) -> Package:
    """Read a ``.mlpackage`` folder without copying its weights.

    :raises PackageError: It is missing, damaged, or not an ML Program; the message says what, where, and what
        to do.
    """
    spec_path = _locate_spec(path)
    data = _read_bytes(spec_path)
    return _package(path, spec_path, _parse(spec_path, data), len(data))


def read_stages(path: Path) -> tuple[Package, ...]:
    """The ML Programs of a pipeline in the order in which they run; a lone ML Program is one stage.

    :raises PackageError: As ``read_package``, for any of them.
    """
    spec_path = _locate_spec(path)
    data = _read_bytes(spec_path)
    spec = _parse(spec_path, data)
    return tuple(_package(path, spec_path, stage, stage.ByteSize()) for stage in _stages(spec))


def _stages(spec: Message) -> tuple[Message, ...]:
    kind = spec.WhichOneof("Type")
    if kind == "pipeline":
        return tuple(spec.pipeline.models)
    return tuple(getattr(spec, kind).pipeline.models) if kind in _PIPELINES else (spec,)


def _package(path: Path, spec_path: Path, spec: Message, program_bytes: int) -> Package:
    _check_kind(path, spec)
    weights = Weights(spec_path.parent)
    try:
        program = decode_program(spec.mlProgram, weights)
    except PackageError as error:
        raise PackageError(f"{path}: {error.message}", error.hint) from error
    default, interfaces = decode_interfaces(spec.description)
    sizes = [item.stat().st_size for item in path.rglob("*") if item.is_file()]
    return Package(
        path=path,
        spec=spec,
        program=program,
        interfaces=interfaces,
        default_function=default,
        weights=weights,
        program_bytes=program_bytes,
        weight_bytes=sum(data.size for _, data in weights.mapped()),
        total_bytes=sum(sizes),
    )


def _locate_spec(path: Path) -> Path:
    manifest_path = path / "Manifest.json"
    if not path.is_dir():
        what = "is a file, not a .mlpackage folder" if path.exists() else "does not exist"
        raise PackageError(f"{path}: the package {what}.", _CONVERT)
    if not manifest_path.is_file():
        raise PackageError(f"{path}: Manifest.json is missing.", "copy the whole .mlpackage folder.")
    relative = _root_model(manifest_path)
    spec_path = path / "Data" / relative
    if not lies_within(spec_path, path / "Data") or not is_file(spec_path):
        raise PackageError(
            f"{manifest_path}: the model file `{relative[:_SHOWN]}` is missing, or outside of the package.",
            "copy the whole .mlpackage folder.",
        )
    return spec_path


def _root_model(manifest_path: Path) -> str:
    """The path of the specification below ``Data``, from the manifest."""
    try:
        manifest = json.loads(_read_bytes(manifest_path))
        relative = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"{type(error).__name__}: {error}"[:_SHOWN]
        raise PackageError(
            f"{manifest_path}: no item of the manifest is the root model ({what}).",
            "convert the model again.",
        ) from error
    if not isinstance(relative, str):
        raise PackageError(
            f"{manifest_path}: the path of the root model is a {type(relative).__name__}, no text.",
            "convert the model again.",
        )
    return relative


def _read_bytes(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except OSError as error:
        raise PackageError(f"{path}: cannot be read: {error}.", "check the file's permissions.") from error


def _parse(path: Path, data: bytes) -> Message:
    try:
        return parse_model(data)
    except ValueError as error:
        raise PackageError(
            f"{path}: {len(data)} bytes that are not a Core ML specification ({error}).",
            "the file is damaged or cut off, or a Git LFS pointer: fetch it again (git lfs pull) "
            "or convert again.",
        ) from error


def _check_kind(path: Path, spec: Message) -> None:
    kind = spec.WhichOneof("Type")
    if kind != "mlProgram":
        hint = _CONVERT if kind not in {*_PIPELINES, "pipeline"} else _ONE_BY_ONE
        raise PackageError(f"{path}: holds a `{kind}`, not an ML Program.", hint)
