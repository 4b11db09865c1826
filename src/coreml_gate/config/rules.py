"""Rules on options that are valid by themselves but not together; each yields problems with a fix."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from coreml_gate.config.inherit import TAKEN_AS_IT_IS, comes_converted, configured, is_package
from coreml_gate.config.lines import Place
from coreml_gate.config.options import Config, ModelConfig, ModelInput, ModelVariant
from coreml_gate.config.problems import Mistake, shortened
from coreml_gate.config.reference import DataReference, parse_reference
from coreml_gate.config.table import kebab
from coreml_gate.devices import devices, similar
from coreml_gate.frozen import changed

_NO_UPPER_BOUND = -1
_CALLABLE_FORMS = "`file.py:callable` or `package.module:callable`"
OLDEST = "oldest"
"""In `limits.on-device`: the oldest of the devices that the model names."""
_SET_SOMETHING = (
    "set an option that differs: `compress`, `precision`, `deployment-target`, `source` or another"
)
_LONGEST_NAME = 60
_LONGEST_PATH = 1_024
"""Characters of the longest path on macOS (``PATH_MAX``)."""
_SOURCE_SUFFIXES = (".pt2", ".pt", ".pth", ".ts", ".jit", ".mlpackage")


def broken_rules(written: Config, resolved: Config) -> Iterator[Mistake]:
    """All problems of the models; ``written`` has the options that each model sets for itself.

    A problem inherited from ``[gate]`` is reported for each model, except one with its devices.
    """
    yield from _names_used_twice(written)
    yield from _unknown_devices(written.gate.devices, ("gate",))
    for number, (own, model) in enumerate(zip(written.model, resolved.model, strict=True)):
        place: Place = ("model", number)
        yield from _references(model, place)
        yield from _package_options(own, place)
        yield from _own_conversion(model, place)
        yield from _function(model, place)
        yield from _repeated(model, place)
        yield from _kept(own, model, place)
        yield from _inputs(model, place)
        yield from _compression(own, model, place)
        yield from _devices(own, model, place)
        yield from _variants(model, place)


def _names_used_twice(config: Config) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for number, model in enumerate(config.model):
        other = first.setdefault(model.name.casefold(), number)
        if other != number:
            yield Mistake(
                ("model", number, "name"),
                f"is used by another model (`{config.model[other].name}`) already; names become "
                "folders, so they must differ by more than upper and lower case.",
            )


def _references(model: ModelConfig, place: Place) -> Iterator[Mistake]:
    for key in ("source", "samples", "evaluate", "convert", "package"):
        text = getattr(model, key)
        if text is not None:
            yield from _path(text, (*place, key))
    data = "a `.pt2`, `.pt`, `.pth`, `.ts`, `.jit` or `.mlpackage` path"
    source = parse_reference(model.source)
    if source is None or (isinstance(source, DataReference) and not _has_suffix(source.path)):
        yield Mistake(
            (*place, "source"), f"must be {_CALLABLE_FORMS}, or {data}, not `{shortened(model.source)}`."
        )
    if model.samples is not None and parse_reference(model.samples) is None:
        yield Mistake((*place, "samples"), f"must be {_CALLABLE_FORMS}, not `{shortened(model.samples)}`.")
    for key in ("evaluate", "convert"):
        text = getattr(model, key)
        if text is not None and _names_no_callable(text):
            yield Mistake((*place, key), f"must be {_CALLABLE_FORMS}, not `{shortened(text)}`.")


def _path(text: str, place: Place) -> Iterator[Mistake]:
    if len(text) > _LONGEST_PATH:
        yield Mistake(place, f"has {len(text):,} characters, allowed {_LONGEST_PATH:,}.")
    if not text.isprintable():
        yield Mistake(place, f"has a character that cannot be shown: `{shortened(ascii(text))}`.")
    if _leaves_repository(text):
        yield Mistake(
            place, f"must be a path inside the repository, relative to its root, not `{shortened(text)}`."
        )


def _leaves_repository(text: str) -> bool:
    path = PurePosixPath(text)
    return path.is_absolute() or ".." in path.parts


def _has_suffix(path: str) -> bool:
    return PurePosixPath(path).suffix in _SOURCE_SUFFIXES


def _names_no_callable(text: str) -> bool:
    reference = parse_reference(text)
    return reference is None or isinstance(reference, DataReference)


def _package_options(own: ModelConfig, place: Place) -> Iterator[Mistake]:
    if not comes_converted(own):
        return
    if is_package(own.source):
        why = f"`{own.source}` is already a package and is used as it is; remove the option, or name the "
        way_out = "source from which the package was converted."
    else:
        why = f"the package of `{own.convert or own.package}` is judged as it is; remove the option, and set "
        way_out = "in that conversion what it says."
    for option in TAKEN_AS_IT_IS:
        if option in own.model_fields_set:
            yield Mistake((*place, kebab(option)), f"cannot be set: {why}{way_out}")


def _own_conversion(model: ModelConfig, place: Place) -> Iterator[Mistake]:
    """``convert``, or ``package`` with or without ``build``, beside a PyTorch source."""
    key = "convert" if model.convert is not None else "package"
    if model.convert is not None and model.package is not None:
        yield Mistake(
            (*place, "package"),
            "cannot be combined with `convert`: keep the one that makes the shipped package.",
        )
    if comes_converted(model) and is_package(model.source) and getattr(model, key) is not None:
        yield Mistake(
            (*place, key),
            f"needs a PyTorch source to compare with, but `source` is the package `{model.source}`; name the "
            "source from which it is converted, or remove the option.",
        )
    if model.package is not None and not is_package(model.package):
        yield Mistake(
            (*place, "package"), f"must be the path of a `.mlpackage`, not `{shortened(model.package)}`."
        )
    if model.build and model.package is None:
        yield Mistake((*place, "build"), "needs `package`: the path of the `.mlpackage` that it writes.")


def _repeated(model: ModelConfig, place: Place) -> Iterator[Mistake]:
    """Names that occur twice, whose values would be compared as one."""
    names = {"output": model.output, "input": tuple(item.name for item in model.input)}
    for key, listed in names.items():
        twice = [name for number, name in enumerate(listed) if name in listed[:number]]
        if twice:
            yield Mistake(
                (*place, key), f"names `{shortened(twice[0])}` twice; each tensor needs a name of its own."
            )


def _function(model: ModelConfig, place: Place) -> Iterator[Mistake]:
    if model.function is not None and not comes_converted(model):
        yield Mistake(
            (*place, "function"),
            f"cannot be set: `{model.source}` is not a package, and a converted source has one function; "
            "remove it, or name a `.mlpackage`.",
        )


def _kept(own: ModelConfig, model: ModelConfig, place: Place) -> Iterator[Mistake]:
    """What ``[gate]`` keeps in float32 for all models does not speak against one that is float32 itself."""
    is_own = "keep_fp32" in own.model_fields_set
    if not model.keep_fp32 or model.precision != "float32":
        return
    if is_own or "precision" not in own.model_fields_set:
        table: Place = place if is_own else ("gate",)
        yield Mistake(
            (*table, "keep-fp32"),
            'cannot be combined with `precision = "float32"`, which keeps every operation in float32: '
            'remove `keep-fp32`, or set `precision = "float16"`.',
        )


def _inputs(model: ModelConfig, place: Place) -> Iterator[Mistake]:
    for number, model_input in enumerate(model.input):
        here = (*place, "input", number)
        if model_input.shape is not None and model_input.shapes is not None:
            yield Mistake(
                (*here, "shapes"),
                "cannot be combined with `shape`: keep `shapes` for a list of whole shapes, or `shape` "
                "with ranges such as `[1, 512]`.",
            )
        if model_input.dtype == "float16" and _ios(model) < 16:  # noqa: PLR2004 - the version is its own name
            yield Mistake((*here, "dtype"), _needs("float16 inputs", 16, model))
        yield from _ranges(model_input, here)


def _ranges(model_input: ModelInput, place: Place) -> Iterator[Mistake]:
    for axis, dimension in enumerate(model_input.shape or ()):
        if isinstance(dimension, int):
            continue
        least, greatest = dimension
        if greatest != _NO_UPPER_BOUND and greatest < least:
            yield Mistake(
                (*place, "shape", axis),
                f"ranges from {least} to {greatest}: the upper bound must not be below the lower one "
                f"(write `[{least}, -1]` for no upper bound).",
            )


def _compression(own: ModelConfig, model: ModelConfig, place: Place) -> Iterator[Mistake]:
    at_model = bool(own.model_fields_set & {"compress", "deployment_target"})
    yield from _compression_target(model, (*place, "compress") if at_model else ("gate", "compress"))


def _compression_target(model: ModelConfig, table: Place) -> Iterator[Mistake]:
    if model.compress is None or _ios(model) >= 18:  # noqa: PLR2004 - the version is its own name
        return
    if model.compress.block_size is not None:
        yield Mistake((*table, "block-size"), _needs("scales per block", 18, model))
    if model.compress.method == "palettize" and model.compress.bits == 3:  # noqa: PLR2004 - a table of 8
        yield Mistake((*table, "bits"), _needs("tables of 3 bits", 18, model))
    if model.compress.method == "linear-int4":
        yield Mistake((*table, "method"), _needs("4-bit weights (`linear-int4`)", 18, model))


def _variants(model: ModelConfig, place: Place) -> Iterator[Mistake]:
    names = {model.name.casefold()}
    for number, variant in enumerate(model.variant):
        here = (*place, "variant", number)
        if variant.name.casefold() in names:
            yield Mistake(
                (*here, "name"),
                "is already the name of the model or of another variant; names become folders and rows, so "
                "they must differ by more than upper and lower case.",
            )
        names.add(variant.name.casefold())
        if not variant.model_fields_set - {"name", "limits"}:
            yield Mistake(here, f"is the model itself: {_SET_SOMETHING}.")
        yield from _variant_options(model, variant, here)


def _variant_options(model: ModelConfig, variant: ModelVariant, place: Place) -> Iterator[Mistake]:
    whole = configured(model, variant)
    if variant.source is not None:
        yield from _references(changed(whole, samples=None, evaluate=None), place)
    for option in TAKEN_AS_IT_IS:
        if is_package(whole.source) and option in variant.model_fields_set:
            yield Mistake((*place, kebab(option)), f"cannot be set: `{whole.source}` is already a package.")
    if variant.model_fields_set & {"compress", "deployment_target"}:
        yield from _compression_target(whole, (*place, "compress"))


def _devices(own: ModelConfig, model: ModelConfig, place: Place) -> Iterator[Mistake]:
    if "devices" in own.model_fields_set:
        yield from _unknown_devices(own.devices, place)
    for name in model.limits.on_device:
        at_model = name in own.limits.on_device
        here: Place = (*(place if at_model else ("gate",)), "limits", "on-device", name)
        if name == OLDEST and not (model.devices or model.minimum_os):
            yield Mistake(here, "names no device: set `devices` or `minimum-os`, or name the device here.")
        elif name != OLDEST and name not in devices():
            yield _unknown_device(here, name)


def _unknown_devices(names: Sequence[str], table: Place) -> Iterator[Mistake]:
    for number, name in enumerate(names):
        if name not in devices():
            yield _unknown_device((*table, "devices", number), name)


def _unknown_device(place: Place, name: str) -> Mistake:
    close = similar(name[:_LONGEST_NAME])
    meant = f"; perhaps you meant `{close[0]}`" if close else ""
    return Mistake(
        place, f"is `{shortened(name)}`, which no device is called{meant}; `coreml-gate devices` lists all."
    )


def _needs(what: str, version: int, model: ModelConfig) -> str:
    return (
        f"uses {what}, which need iOS{version}, but `deployment-target` is `{model.deployment_target}`; "
        f'set `deployment-target = "iOS{version}"` or remove the option.'
    )


def _ios(model: ModelConfig) -> int:
    return int(model.deployment_target.removeprefix("iOS"))
