"""All calls of the user's Python go through here: importing it, calling it, and locating its errors."""

import ast
import atexit
import difflib
import hashlib
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np
import torch

from coreml_gate.engines.engine import OverdueCallError
from coreml_gate.engines.large_files import WAY_OUT
from coreml_gate.engines.places import place_of
from coreml_gate.errors import GateError
from coreml_gate.reading import read_bytes

_CPU: Final = (
    "build the model and its tensors on the CPU: `device=x.device` in forward, `map_location="
    '"cpu"` in `torch.load`.'
)
_FLOATS: Final = (
    "the gate runs the source in float32, and converts it to FP16 itself: cast to the type of the weights, "
    "`x.to(self.layer.weight.dtype)`, instead of `.bfloat16()` and `.half()`."
)
_KNOWN_HINTS: Final[Mapping[str, str]] = {
    # of the pointer that Git LFS leaves in place of weights
    **dict.fromkeys(
        (
            *(
                "invalid load key, 'v'",
                "Unsupported operand 118",
            ),  # torch.load: a pickle does not begin with "v"
            *("HeaderTooLarge", "header too large"),  # safetensors
        ),
        WAY_OUT,
    ),
    **dict.fromkeys(
        (
            *("Torch not compiled with CUDA", "No CUDA GPUs are available", "Found no NVIDIA driver"),
            *("deserialize object on a CUDA device", "deserialize object on CUDA device"),
            *("MPS backend is supported on", "deserialize object on a MPS device"),
        ),
        _CPU,
    ),
    **dict.fromkeys(
        (
            *("but got BFloat16", "but got Half", "but found BFloat16", "but found Half"),
            *("c10::BFloat16", "c10::Half"),
        ),
        _FLOATS,
    ),
}
"""Hints by a part of an error's text."""
_FOR_WORKERS: Final = """import importlib.util, sys
spec = importlib.util.spec_from_file_location(__name__, {path!r})
sys.modules[__name__] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""
"""What stands for a user's file in a spawned process."""
_NO_FILE: Final = (
    "paths are relative to the repository's root: commit the file, or create or fetch it in an earlier step."
)
_DISTRIBUTIONS: Final[Mapping[str, str]] = {
    "Crypto": "pycryptodome",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "clip": "openai-clip",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "google.protobuf": "protobuf",
    "hydra": "hydra-core",
    "lightning_fabric": "lightning",
    "mpl_toolkits": "matplotlib",
    "pytorch_lightning": "pytorch-lightning",
    "segment_anything": "segment-anything",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "sksparse": "scikit-sparse",
    "tensorflow_hub": "tensorflow-hub",
    "torch_geometric": "torch-geometric",
    "umap": "umap-learn",
    "whisper": "openai-whisper",
    "yaml": "pyyaml",
}
"""The distributions of modules whose names differ."""


def load_callable(reference: str, root: Path, wrong: type[GateError]) -> Callable[..., object]:
    """Load the callable that ``file.py:callable`` or ``package.module:callable`` names.

    A file is relative to ``root`` and imported under a unique name, with its folder and ``root`` on
    ``sys.path``; a module is imported with ``root`` and ``root/src`` on it. The paths stay, because user code
    may import later. Raises ``wrong`` with the user's line.
    """
    location, separator, name = reference.rpartition(":")
    if not separator or not location or not name:
        raise wrong(
            f"`{reference}` names no callable.",
            "write `file.py:callable` or `package.module:callable`.",
        )
    with user_code(reference, root, wrong):
        module = _import_file(location, root, wrong) if location.endswith(".py") else _import(location, root)
    return _callable_of(module, name, reference, wrong)


@contextmanager
def user_code(what: str, root: Path, wrong: type[GateError]) -> Iterator[None]:
    """Turns whatever the user's code raises within the block, an exit included, into ``wrong``.

    The message names the call, then the exception's type and text and the user's line. An interrupt passes
    through, because it is meant for the program that called the gate. Process-wide settings that would
    disturb the converter or our runtime are restored after the block.
    """
    own, paths = os.getpid(), [*sys.path]
    try:
        with np.errstate(), _default_device_kept():
            yield
    except (GateError, KeyboardInterrupt, OverdueCallError, GeneratorExit):
        raise
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and error.name is not None:
            raise wrong(*_missing_module(what, error.name, place_of(error, root))) from error
        raise wrong(f"`{what}` raised {describe(error, root)}.", _known_hint(error)) from error
    finally:
        if os.getpid() != own:
            os._exit(1)  # a process that the code forked, which would continue as a second gate
        _reopen_streams()
        _stand_in_a_folder(root)
        sys.path.extend(path for path in paths if path not in sys.path)


def _reopen_streams() -> None:
    """Libraries print: a stream that is closed, or cannot be written to, would let the converter fail."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        usable = callable(getattr(stream, "write", None)) and callable(getattr(stream, "flush", None))
        if stream is not None and (not usable or getattr(stream, "closed", False)):
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for good


def _stand_in_a_folder(root: Path) -> None:
    """No library can make a relative path absolute in a working folder that was removed."""
    try:
        os.getcwd()  # noqa: PTH109 - as libraries do
    except OSError:
        os.chdir(root)


@contextmanager
def _default_device_kept() -> Iterator[None]:
    """Restore torch's default device, because another one would split a source that moves to the CPU."""
    before = _default_device()
    try:
        yield
    finally:
        if _default_device() != before:
            torch.set_default_device(None if before.type == "cpu" else before)


def _default_device() -> torch.device:
    """Where a new tensor lies: torch 2.7 cannot name its default device once it was set back to None."""
    return torch.empty(0).device


def describe(error: BaseException, root: Path) -> str:
    """The exception's type, its text on one line, and the line that raised it (``models/net.py:41``)."""
    text = " ".join(_text_of(error).split()).rstrip(".")
    place = place_of(error, root)
    return type(error).__name__ + (f": {text}" if text else "") + (f" ({place})" if place else "")


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001 - of the user's own class
        return f"(its text cannot be had: {type(second).__name__})"


def _import_file(location: str, root: Path, wrong: type[GateError]) -> ModuleType:
    path = (root / location).resolve()
    if not path.is_file():
        what = "is not a regular file" if path.exists() else "does not exist in the repository"
        relative = "paths are relative to the repository's root."
        raise wrong(f"file `{location}` {what}.", other_case(location, root) or relative)
    if not path.stat().st_size:  # as of a file of `/proc`, which may block
        raise wrong(f"file `{location}` is empty.", "name a Python file.")
    _refuse_namesakes(location, path, wrong)
    name = "coreml_gate_user_" + hashlib.sha256(str(path).encode()).hexdigest()[:12]
    if name in sys.modules:
        return sys.modules[name]
    _put_on_path(path.parent, root)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise wrong(f"file `{location}` cannot be imported.", "name a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _leave_for_workers(name, path)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def other_case(location: str, root: Path) -> str:
    """A hint if only capitals differ: the disk of most Macs finds such a file all the same."""
    folder = root
    for part in Path(location).parts:
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        folder /= next((name for name in names if name.casefold() == part.casefold()), part)
    found = folder.relative_to(root).as_posix()
    return f"write `{found}`: only a Mac ignores the case of names." if folder.exists() else ""


def _leave_for_workers(name: str, path: Path) -> None:
    """Lets a process that the user's code spawns import the file under its unique name.

    Workers of a ``DataLoader`` are spawned on a Mac and forked on Linux, and one that is spawned imports the
    modules of what it is given (pytorch/pytorch#46648).
    """
    folder = _folder_for_workers()
    (folder / f"{name}.py").write_text(_FOR_WORKERS.format(path=str(path)), encoding="utf-8")
    if str(folder) not in sys.path:  # the user's code may have replaced the list
        sys.path.append(str(folder))


@cache
def _folder_for_workers() -> Path:
    """A folder for the end of ``sys.path``, which a spawned process gets from its parent."""
    folder = tempfile.mkdtemp(prefix="coreml-gate-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _refuse_namesakes(location: str, path: Path, wrong: type[GateError]) -> None:
    """Raises if a script imports a module of its folder while another file of that name is loaded.

    Python keeps one module per name, so the script would silently get the other file's functions.
    """
    for name in sorted(_imported_by(path)):
        own = next(
            (
                file
                for file in (path.parent / f"{name}.py", path.parent / name / "__init__.py")
                if file.is_file()
            ),
            None,
        )
        loaded = getattr(sys.modules.get(name), "__file__", None)
        if own is not None and loaded is not None and Path(loaded).resolve() != own.resolve():
            raise wrong(
                f"`{location}` imports `{name}`, but there are two of them: `{own}`, and `{loaded}`, which "
                "is already loaded.",
                "rename one of the files: Python keeps only one module per name.",
            )


def _imported_by(path: Path) -> set[str]:
    """The top-level names that a file imports; none if Python cannot parse it."""
    try:
        tree = ast.parse(read_bytes(path))
    except (OSError, SyntaxError, ValueError):
        return set()
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [
        [alias.name for alias in node.names]
        if isinstance(node, ast.Import)
        else [node.module or ""] * (node.level == 0)
        for node in nodes
    ]
    return {name.partition(".")[0] for listed in names for name in listed} - {""}


def _import(location: str, root: Path) -> ModuleType:
    _put_on_path(root, root / "src")
    return importlib.import_module(location)


def _put_on_path(*folders: Path) -> None:
    """Put the folders first, in order, so that the repository takes precedence over installed packages."""
    wanted = [str(folder.resolve()) for folder in folders]
    sys.path[:] = wanted + [entry for entry in sys.path if entry not in wanted]
    importlib.invalidate_caches()


def _callable_of(
    module: ModuleType, name: str, reference: str, wrong: type[GateError]
) -> Callable[..., object]:
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            close = difflib.get_close_matches(part, [known for known in dir(found) if known[:1] != "_"], n=1)
            hint = f"perhaps you meant `{close[0]}`." if close else "name a function or a class of that file."
            raise wrong(f"`{reference}`: there is no `{part}`.", hint)
        found = getattr(found, part)
    if not callable(found):
        raise wrong(
            f"`{reference}` is of type `{type(found).__name__}`, which cannot be called.",
            "name a function that builds and returns it.",
        )
    return found


def _known_hint(error: BaseException) -> str:
    """The hint for a missing file or a device that this machine lacks."""
    if isinstance(error, FileNotFoundError):
        return _NO_FILE
    text = _text_of(error)
    return next((way for sign, way in _KNOWN_HINTS.items() if sign in text), "")


def _missing_module(what: str, name: str, place: str) -> tuple[str, str]:
    importer = f" (imported by {place})" if place else ""
    return (
        f"`{what}` cannot be imported: there is no module `{name}`{importer}.",
        f"install `{_distribution(name)}` in this environment, or correct the name.",
    )


def _distribution(module: str) -> str:
    """The distribution to install for a module: ``scikit-learn`` for ``sklearn.svm``."""
    parts = module.split(".")
    names = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((_DISTRIBUTIONS[name] for name in names if name in _DISTRIBUTIONS), parts[0])
