"""Makes every Python process believe that it runs on a Mac: on the path of what `tests.fake_mac` starts.

Only our code, its tests, the action's scripts and coremltools believe so. Python's own library, torch and
psutil go on with the system that there is, or they would look for libraries of macOS.
"""

import ctypes.util
import importlib.abc
import importlib.machinery
import os
import platform
import sys
from types import ModuleType
from typing import Any

BELIEVES = ("coreml_gate", "coremltools", "tests", "conformance")
NATIVE = "coremltools.libcoremlpython"
MACOS = os.environ.get("FAKE_MACOS", "26.0")
PROCESSOR = "arm64"
_real = {"platform": sys.platform, "mac_ver": platform.mac_ver, "machine": platform.machine}
_find_library = ctypes.util.find_library


def believes() -> bool:
    caller = sys._getframe(2).f_globals
    of_the_action = caller["__name__"] == "__main__" and "/action/" in caller.get("__file__", "")
    return of_the_action or caller["__name__"].partition(".")[0] in BELIEVES


class System(ModuleType):
    @property
    def platform(self) -> str:
        return "darwin" if believes() else _real["platform"]

    @platform.setter
    def platform(self, value: str) -> None:
        _real["platform"] = value


def mac_ver() -> tuple[str, tuple[str, str, str], str]:
    """A Python that was built before macOS 26 is told 16 (python/cpython#135675)."""
    told = MACOS.replace("26.", "16.", 1)
    return (told, ("", "", ""), PROCESSOR) if believes() else _real["mac_ver"]()


def machine() -> str:
    return PROCESSOR if believes() else _real["machine"]()


def find_library(name: str) -> str | None:
    library = os.environ.get("FAKE_MAC_LIBRARY")
    return library if library and name in {"Foundation", "objc", "proc"} else _find_library(name)


class Native(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The native half that the macOS wheel of coremltools has, and no other."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self) if name == NATIVE else None

    def create_module(self, spec: Any) -> ModuleType:
        from coreml_gate.stand_in.native import native_module  # noqa: PLC0415 - only who asks for it pays

        return native_module(NATIVE, "fp16", None)

    def exec_module(self, module: ModuleType) -> None:
        """It was made whole."""


class Spawning(importlib.abc.MetaPathFinder):
    """A Mac spawns the processes of ``multiprocessing`` unless told otherwise; everybody believes that."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != "multiprocessing.context":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        assert isinstance(spec.loader, importlib.machinery.SourceFileLoader)
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            module._default_context = module.DefaultContext(module._concrete_contexts["spawn"])

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


sys.__class__ = System
platform.mac_ver, platform.machine, ctypes.util.find_library = mac_ver, machine, find_library
sys.meta_path[:0] = [Native(), Spawning()]
