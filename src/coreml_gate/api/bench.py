"""Prepares a model object of the caller for the measurements that a child makes of a configured model."""

import copy
import os
import random
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from torch.export import ExportedProgram

from coreml_gate.api.options import ModelKeywords, config_of, path_within, reference_to
from coreml_gate.children.job import ModelJob
from coreml_gate.config import Config
from coreml_gate.errors import SourceError
from coreml_gate.measurements.bench import Bench
from coreml_gate.measurements.reference import AtHand

Model = torch.nn.Module | ExportedProgram | str | Path
"""A module, an exported program, or a ``source`` as in the configuration: a callable or a file."""
Metric = Callable[..., object]
_NOT_OF_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
_NOT_COPIED: Final = (RuntimeError, TypeError, ValueError, AttributeError, NotImplementedError)
"""What torch and ``copy`` raise for a module that cannot be copied."""


def bench_of(
    caller: Literal["check", "convert"],
    model: Model,
    samples: Iterable[object] | None,
    options: ModelKeywords,
    *,
    name: str | None,
    folder: Path,
    package: str | Path | None = None,
    evaluate: Metric | None = None,
    max_samples: int = 8,
    fail_on_unsure: bool = False,
) -> tuple[Config, Bench]:
    """The model's configuration, and the bench on which it is measured with results in ``folder``."""
    root = _root(model, package)
    given = {
        "name": name or _name_of(model),
        "source": _reference(model, root),
        "evaluate": None if evaluate is None else reference_to(evaluate),
        "package": None if package is None else path_within(root, Path(package)),
    }
    config = config_of(caller, given, options, fail_on_unsure=fail_on_unsure)
    job = ModelJob(
        root=root, record_folder=folder, model=config.model[0], closure="", max_samples=max_samples
    )
    shutil.rmtree(job.folder, ignore_errors=True)
    job.folder.mkdir(parents=True)
    return config, Bench(job, at_hand=AtHand(_copied(model), samples, evaluate))


def folder_for(folder: str | Path | None) -> Path:
    """The given folder, or a temporary one."""
    made = Path(tempfile.mkdtemp(prefix="coreml-gate-")) if folder is None else Path(folder)
    return made.resolve()


def remove_with(owner: object, folder: Path) -> None:
    """Remove the folder when its owner is garbage-collected."""
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Restore the caller's random generators, which the gate seeds."""
    python, torchs, numpys = random.getstate(), torch.get_rng_state(), np.random.get_state()  # noqa: NPY002 - the generator that user code draws from
    try:
        yield
    finally:
        random.setstate(python)
        torch.set_rng_state(torchs)
        np.random.set_state(numpys)  # noqa: NPY002 - as above


def _root(model: Model, package: str | Path | None) -> Path:
    """The folder that paths are relative to: the current one, or a parent that contains all given paths."""
    paths = [Path(each).resolve() for each in (model, package) if isinstance(each, Path)]
    return Path(os.path.commonpath([Path.cwd(), *paths]))


def _reference(model: Model, root: Path) -> str:
    if isinstance(model, Path):
        return path_within(root, model)
    if not isinstance(model, str):
        return reference_to(type(model))
    location, separator, attribute = model.rpartition(":")
    if not separator:
        return path_within(root, Path(model))
    return f"{path_within(root, Path(location))}:{attribute}" if location.endswith(".py") else model


def _name_of(model: Model) -> str:
    """A valid model name: that of the class, the callable or the file."""
    raw = type(model).__name__
    if isinstance(model, str | Path):
        location, _, attribute = str(model).rpartition(":")
        raw = attribute if location else Path(attribute).stem
    return _NOT_OF_NAMES.sub("-", raw).strip("._-") or "model"


def _copied(model: Model) -> torch.nn.Module | ExportedProgram | None:
    """A copy, because a source is changed in place; ``None`` for one that has yet to be loaded."""
    if isinstance(model, str | Path):
        return None
    if not isinstance(model, torch.nn.Module):
        return model
    try:
        return copy.deepcopy(getattr(model, "_orig_mod", model))
    except _NOT_COPIED as error:
        raise SourceError(
            f"the model cannot be copied: {type(error).__name__}: {' '.join(str(error).split())}.",
            'name what builds it instead: check("models/net.py:build", ...).',
        ) from error
