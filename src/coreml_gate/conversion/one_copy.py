"""Writes the weights of a package once, and then links instead of copying.

coremltools copies them twice: into a temporary package, and from there to the saved one. With 400 million
parameters, that is 5 GB for both packages.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from coremltools.models import model as of_coremltools

from coreml_gate.conversion.replaced import replaced
from coreml_gate.untyped import CoreMlObject

_FOLDER = "weights"
_WEIGHTS = Path("Data", "com.apple.CoreML", _FOLDER)


def converted_once() -> AbstractContextManager[None]:
    """Within the block, a conversion moves its weights into the temporary package instead of copying them."""
    return replaced(of_coremltools, "_create_mlpackage", _moving)


def _moving(original: Callable[..., str]) -> Callable[..., str]:
    def create(spec: CoreMlObject, weights_dir: str | None = None, package_path: str | None = None) -> str:
        if weights_dir is None:
            return original(spec, weights_dir, package_path)
        with TemporaryDirectory() as nothing:
            made = original(spec, nothing, package_path)
        for file in Path(weights_dir).iterdir():
            shutil.move(file, Path(made, _WEIGHTS, file.name))
        return made

    return create


def saved_once(model: CoreMlObject) -> AbstractContextManager[None]:
    """Within the block, the model is saved with links to the weights of its temporary package."""
    if not model.is_temp_package:
        return nullcontext()
    linking = SimpleNamespace(rmtree=shutil.rmtree, copytree=_linked)
    return replaced(of_coremltools, "_shutil", lambda _: linking)


def _linked(source: str, target: str) -> None:
    shutil.copytree(source, target, copy_function=_link_weights)


def _link_weights(source: str, target: str) -> None:
    """Link the weights; the specification is rewritten when it is saved, so it must be a separate file."""
    if Path(source).parent.name == _FOLDER:
        link(source, target)
    else:
        shutil.copy2(source, target)


def link(source: str, target: str) -> None:
    """Link a file, or copy it if the system cannot."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
