"""coremltools' own ``MLModel.predict`` on Linux, with our MIL runtime instead of Core ML's native half.

::

    from coreml_gate import stand_in

    stand_in.install()                                   # before or after `import coremltools`
    coremltools.models.MLModel("net.mlpackage").predict({"x": array})

coremltools' Python runs unchanged and no file of it is edited; on a Mac nothing is replaced. It imports
names from its native module ``libcoremlpython``, keeps ``None`` where there is none, and reads the system's
version from two functions. So installing is a table of names with a value for "absent" and one for "present":
every module of coremltools that holds the one gets the other. Modules loaded later find the native module in
``sys.modules``.
"""

import importlib
import logging
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Final

from coreml_gate.errors import UsageError
from coreml_gate.runtime import Mode
from coreml_gate.runtime.precision import check_mode
from coreml_gate.stand_in.native import Watch, native_module
from coreml_gate.untyped import CoreMlObject

__all__ = ["NAME", "install", "is_installed", "uninstall"]

NAME = "coreml-gate stand-in"
"""Name of what ran the predictions, for logs and Records: never Core ML."""

_MODULE = "coremltools.libcoremlpython"
_FIRST_MACOS = (26, 0)  # the first that loads specification version 10, the newest that we read
_ABSENT: Final = object()
_log = logging.getLogger("coreml_gate.stand_in")
_replaced: dict[str, tuple[CoreMlObject, CoreMlObject]] = {}


def install(mode: Mode = "fp16", watch: Watch | None = None, *, force: bool = False) -> bool:
    """Let coremltools predict with our MIL runtime; ``False`` if real Core ML exists and stays.

    May be called before or after ``import coremltools`` (it imports it), and again to change the mode.

    :param mode: ``fp16`` keeps the package's element types, ``fp32`` widens everything.
    :param watch: Called before each prediction with the runtime's models that will answer it.
    :param force: On a Mac, replace Core ML itself until :func:`uninstall`: for tests.
    :raises UsageError: There is no such mode, or a native module that is not Core ML's stands there already.
    """
    check_mode(mode)
    if sys.platform == "darwin" and not force:
        _log.warning("%s: not installed, because this is a Mac: Core ML itself answers.", NAME)
        return False
    uninstall()
    if force:
        importlib.import_module("coremltools")  # with Core ML's own module, which comes back later
    else:
        _refuse_other_native_module()
    real = sys.modules.get(_MODULE, _ABSENT)
    native = native_module(_MODULE, mode, watch)
    sys.modules[_MODULE] = native
    coremltools = importlib.import_module("coremltools")
    vars(coremltools).update(libcoremlpython=native)
    utils = importlib.import_module("coremltools.models.utils")
    _replaced.update({name: (getattr(real, name, None), value) for name, value in _classes(native)})
    _replaced[_MODULE] = (real, native)
    _replaced["_is_macos"] = (utils._is_macos, _is_macos)  # noqa: SLF001  # the gate that coremltools calls
    _replaced["_macos_version"] = (utils._macos_version, _macos_version)  # noqa: SLF001
    _exchange(_replaced)
    _log.warning(
        "%s: predictions of coremltools come from the MIL runtime (%s), not from Core ML.", NAME, mode
    )
    return True


def uninstall() -> None:
    """Restore coremltools; models that are already loaded keep their runtime."""
    if not is_installed():
        return
    _exchange({name: (present, absent) for name, (absent, present) in _replaced.items()})
    real, _ = _replaced[_MODULE]
    _replaced.clear()
    del sys.modules[_MODULE]
    del vars(sys.modules["coremltools"])["libcoremlpython"]
    if real is not _ABSENT:
        sys.modules[_MODULE] = real
    if isinstance(real, ModuleType):
        vars(sys.modules["coremltools"])["libcoremlpython"] = real


def is_installed() -> bool:
    """Whether predictions of coremltools currently come from our MIL runtime."""
    return bool(_replaced)


def _classes(native: ModuleType) -> Iterator[tuple[str, CoreMlObject]]:
    return ((name, value) for name, value in vars(native).items() if isinstance(value, type))


def _refuse_other_native_module() -> None:
    if sys.modules.get(_MODULE) is not None:
        raise UsageError(
            f"`{_MODULE}` is already loaded from {getattr(sys.modules[_MODULE], '__file__', 'elsewhere')}.",
            "the stand-in never replaces another native module: run without it, or in another process.",
        )


def _exchange(pairs: Mapping[str, tuple[CoreMlObject, CoreMlObject]]) -> None:
    """In every loaded module of coremltools, replace the first value of each pair by the second."""
    for module in _loaded():
        for name, (old, new) in pairs.items():
            if name in vars(module) and vars(module)[name] is old:
                setattr(module, name, new)


def _loaded() -> Iterator[ModuleType]:
    for name, module in list(sys.modules.items()):
        if name.startswith("coremltools.") and name != _MODULE:
            yield module


def _is_macos() -> bool:
    """Replaces ``coremltools.models.utils._is_macos``, which decides whether states are offered."""
    return True


def _macos_version() -> tuple[int, int]:
    """Replaces ``coremltools.models.utils._macos_version``."""
    return _FIRST_MACOS
