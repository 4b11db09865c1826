"""The machine that Core ML runs on, and its thermal and power state."""

import ctypes
import ctypes.util
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from coreml_gate.record import Machine

RunTool = Callable[[Sequence[str]], str]
"""Runs a command and returns its output, or empty if that fails."""

_THERMAL: Final = ("nominal", "fair", "serious", "critical")
"""NSProcessInfoThermalState, in the order of its raw values."""


def tool_output(command: Sequence[str], within_s: float = 10) -> str:
    """The output of a command; empty if it does not exist, fails, or takes too long."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=within_s)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def describe_machine(run_tool: RunTool = tool_output, stand_in: str = "") -> Machine:
    """The fingerprint: chip, model, system build, memory, virtual or not, thermal and power state."""
    memory, virtual = (
        run_tool(["sysctl", "-n", "hw.memsize"]),
        run_tool(["sysctl", "-n", "kern.hv_vmm_present"]),
    )
    version, build = run_tool(["sw_vers", "-productVersion"]), run_tool(["sw_vers", "-buildVersion"])
    thermal, low_power = power_state()
    return Machine(
        chip=run_tool(["sysctl", "-n", "machdep.cpu.brand_string"]) or "unknown",
        model=run_tool(["sysctl", "-n", "hw.model"]) or "unknown",
        system=f"macOS {version} ({build})" if version else "unknown",
        memory_bytes=int(memory) if memory.isdecimal() else 0,
        virtual=virtual == "1" if virtual else None,
        thermal_state=thermal,
        low_power=low_power,
        stand_in=stand_in,
    )


def power_state() -> tuple[str, bool | None]:
    """``thermalState`` and ``isLowPowerModeEnabled`` of Foundation's ``NSProcessInfo``; unknown elsewhere.

    Fast enough to call around every pair of times, because it starts no process.
    """
    objc = _objective_c()
    if objc is None:
        return "unknown", None
    info = _send(objc, objc.objc_getClass(b"NSProcessInfo"), b"processInfo", ctypes.c_void_p)
    thermal = _send(objc, info, b"thermalState", ctypes.c_long)
    low_power = _send(objc, info, b"isLowPowerModeEnabled", ctypes.c_bool)
    return _THERMAL[thermal] if 0 <= thermal < len(_THERMAL) else "unknown", bool(low_power)


@cache
def _objective_c() -> Any:  # noqa: ANN401 - a ctypes library
    foundation, runtime = ctypes.util.find_library("Foundation"), ctypes.util.find_library("objc")
    if foundation is None or runtime is None:
        return None
    ctypes.CDLL(foundation)
    objc = ctypes.CDLL(runtime)
    objc.objc_getClass.restype = ctypes.c_void_p
    objc.objc_getClass.argtypes = [ctypes.c_char_p]
    objc.sel_registerName.restype = ctypes.c_void_p
    objc.sel_registerName.argtypes = [ctypes.c_char_p]
    return objc


def _send(objc: Any, receiver: int, selector: bytes, result: Any) -> Any:  # noqa: ANN401 - ctypes
    """Call a method without arguments; ``objc_msgSend`` must have the type of that method."""
    send = ctypes.CFUNCTYPE(result, ctypes.c_void_p, ctypes.c_void_p)(("objc_msgSend", objc))
    return send(receiver, objc.sel_registerName(selector))
