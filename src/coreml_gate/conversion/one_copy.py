"""The weights of a package are written once, and from then on the same file only gets other names.

coremltools copies them twice: from where the converter writes them into a temporary package, and from there
to where the package is saved. Of a model with 400 million parameters these are 5 GB for both packages.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from coremltools.models import model as of_coremltools
from coremltools.models.utils import _MLPACKAGE_AUTHOR_NAME, _WEIGHTS_DIR_NAME

from coreml_gate.untyped import CoreMlObject

_WEIGHTS = Path("Data", _MLPACKAGE_AUTHOR_NAME, _WEIGHTS_DIR_NAME)


@contextmanager
def converted_once() -> Iterator[None]:
    """A conversion within the block moves the weights that it has written into its temporary package."""
    original = of_coremltools._create_mlpackage  # noqa: SLF001 - coremltools has no other door

    def create(spec: CoreMlObject, weights: str | None = None, path: str | None = None) -> str:
        if weights is None:
            return str(original(spec, weights, path))
        with TemporaryDirectory() as nothing:
            made = str(original(spec, nothing, path))
        for file in Path(weights).iterdir():
            shutil.move(file, Path(made, _WEIGHTS, file.name))
        return made

    of_coremltools._create_mlpackage = create  # noqa: SLF001 - as above
    try:
        yield
    finally:
        of_coremltools._create_mlpackage = original  # noqa: SLF001 - as above


@contextmanager
def saved_once(model: CoreMlObject) -> Iterator[None]:
    """Within the block the model is saved with links to the weights of its package, if that is temporary."""
    original = of_coremltools._shutil  # noqa: SLF001 - as above
    if model.is_temp_package:
        of_coremltools._shutil = SimpleNamespace(rmtree=shutil.rmtree, copytree=_linked)  # noqa: SLF001 - as above
    try:
        yield
    finally:
        of_coremltools._shutil = original  # noqa: SLF001 - as above


def _linked(source: str, target: str) -> None:
    shutil.copytree(source, target, copy_function=_link_weights)


def _link_weights(source: str, target: str) -> None:
    """The specification is written anew where it is saved, so it has to be a file of its own."""
    if Path(source).parent.name == _WEIGHTS_DIR_NAME:
        link(source, target)
    else:
        shutil.copy2(source, target)


def link(source: str, target: str) -> None:
    """The same file under another name where the system can, a copy elsewhere."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
