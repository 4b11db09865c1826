"""The outputs of a PyTorch model as a flat list of named tensors, whatever containers it returns."""

import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

import torch

from coreml_gate.errors import SourceError


def flatten_outputs(value: object, reference: str = "") -> dict[str, torch.Tensor]:
    """The tensors of a module's return value by name: the keys of dicts and dataclasses, else ``output_0``.

    ``None`` is left out. Raises :class:`SourceError` for everything that is neither a tensor nor a container.
    """
    children = _children(value)
    if children is None:
        children = [("output_0", value)] if value is not None else []
    elif not _has_names(value):
        children = [(f"output_{position}", child) for position, child in children]
    named: dict[str, torch.Tensor] = {}
    for name, child in children:
        _flatten(name, child, named, reference)
    if not named:
        raise SourceError(f"source `{reference}` returns no tensor.", "return at least one tensor.")
    return named


def _flatten(name: str, value: object, into: dict[str, torch.Tensor], reference: str) -> None:
    children = _children(value)
    if children is not None:
        for key, child in children:
            _flatten(f"{name}_{key}", child, into, reference)
    elif isinstance(value, torch.Tensor):
        if not is_text(name):
            raise SourceError(
                f"source `{reference}`: the name of output {name!a} is not text: it has half a character.",
                "rename it, or return a tuple and name the outputs by `output`.",
            )
        if name in into:
            raise SourceError(
                f"source `{reference}`: two of its outputs are named `{name}`: a key within a key is "
                "joined to it by `_`.",
                "rename one of the keys that it returns, or return a tuple and name the outputs by `output`.",
            )
        into[name] = value
    elif value is not None:
        raise SourceError(
            f"source `{reference}`: output `{name}` is of type `{type(value).__name__}`, not a tensor.",
            "return tensors only (transformers: `use_cache=False`), or wrap the model in a module that does.",
        )


def _children(value: object) -> list[tuple[str, object]] | None:
    """The elements of a container by key; ``None`` for a leaf."""
    if isinstance(value, Mapping):
        return [(str(key), child) for key, child in value.items()]
    if is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    if isinstance(value, tuple | list):
        return [(str(position), child) for position, child in enumerate(value)]
    return None


def is_text(name: str) -> bool:
    """Whether a name can be written to a file, which half of a surrogate pair cannot."""
    return name.isascii() or not any(unicodedata.category(sign) == "Cs" for sign in name)


def _has_names(value: object) -> bool:
    return not isinstance(value, tuple | list) or hasattr(value, "_fields")
