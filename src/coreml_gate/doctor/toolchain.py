"""Checks what the gate needs: Python, versions, the native half of coremltools, disk space."""

import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import Final

from coreml_gate.children.job import MachineJob
from coreml_gate.doctor.answer import OFF_A_MAC, Probe, Subject
from coreml_gate.engines.machine import tool_output
from coreml_gate.measurements.native_module import MissingNames
from coreml_gate.tested_versions import untested
from coreml_gate.worker.core_ml import NEW_COPIES

GIGABYTE: Final = 10**9
COPIES_AT_ONCE: Final = round(2 * (1 + NEW_COPIES))
"""Copies of a package on the disk while it is timed: base and head, with compiled models and caches."""
LEAST_PACKAGE_GB: Final = 0.5
"""A package of 250 million half-precision weights, for which the doctor checks the disk space."""
OLDEST_MACOS: Final = (14, 0)
"""The only torch 2.13 wheel for macOS is `macosx_14_0_arm64`: Apple silicon, macOS 14."""
AVAILABLE_FROM: Final[Mapping[str, tuple[int, int]]] = {
    "state": (15, 0),
    "functions": (15, 0),
    "compute plan": (14, 4),
}
"""The first macOS with each feature of coremltools' native half, by its own error messages."""
PYTHONS: Final = ((3, 11), (3, 12), (3, 13))
"""Python versions for which coremltools 9.0 has wheels with a native half."""
COREMLTOOLS: Final = "9.0"
NUMPY_BREAKS_FROM: Final = (2, 4)
"""coremltools 9.0 cannot convert with it (repaired later by apple/coremltools#2632)."""


def examine_toolchain(subject: Subject) -> Iterator[Probe]:
    """System, Python, versions, native module, free disk."""
    yield system(subject, tool_output(["sw_vers", "-productVersion"]), platform.machine())
    yield _python(sys.version_info[:2])
    yield versions(subject)
    yield _native_module(subject)
    yield free_disk(shutil.disk_usage(subject.folder).free / GIGABYTE)


def system(subject: Subject, macos: str, processor: str) -> Probe:
    """Whether macOS is new enough, and the processor is Apple's.

    A Python that was built before macOS 26 calls it 16.0 itself (python/cpython#135675).
    """
    if not subject.is_mac:
        return Probe("system", "unknown", f"{platform.system()} on {processor}.", OFF_A_MAC)
    text = f"macOS {macos} on {processor}"
    if processor != "arm64":
        return Probe(
            "system", "not ok", f"{text}: torch has no wheel for it.", "take a Mac with Apple silicon."
        )
    version = macos_version(macos)
    if version < OLDEST_MACOS:
        return Probe("system", "not ok", f"{text}: torch's wheel needs macOS 14.", "update macOS.")
    late = [what for what, first in AVAILABLE_FROM.items() if version < first]
    missing = f"; too old for: {', '.join(late)}" if late else ""
    return Probe("system", "ok", f"{text}{missing}")


def macos_version(text: str) -> tuple[int, int]:
    """``15.5`` as numbers; (0, 0) if it is not a version."""
    parts = [int(part) for part in text.split(".")[:2] if part.isdecimal()]
    return (parts[0], parts[1] if len(parts) > 1 else 0) if parts else (0, 0)


def _python(version: tuple[int, int]) -> Probe:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if version in PYTHONS:
        return Probe("python", "ok", text)
    return Probe(
        "python",
        "not ok",
        f"{text}: coremltools {COREMLTOOLS} has no wheel for it.",
        "make the environment with Python 3.11, 3.12 or 3.13.",
    )


def versions(subject: Subject) -> Probe:
    """Whether these are the versions that the gate is tested with."""
    text = ", ".join(f"{name} {version}" for name, version in subject.versions.items())
    numpy = tuple(int(part) for part in subject.versions["numpy"].split(".")[:2])
    if subject.versions["coremltools"] == COREMLTOOLS and numpy >= NUMPY_BREAKS_FROM:
        return Probe(
            "versions",
            "not ok",
            f"{text}: this numpy breaks the converter.",
            'pip install "numpy<2.4" (apple/coremltools#2632).',
        )
    if outside := untested(subject.versions):
        return Probe("versions", "unknown", " ".join(outside), "the probes below show whether they work.")
    return Probe("versions", "ok", text)


def _native_module(subject: Subject) -> Probe:
    what = "native module"
    if not subject.is_mac:
        return Probe(what, "unknown", "coremltools has native code only on macOS.", OFF_A_MAC)
    job = MachineJob(only=("native-module",), folder=subject.folder / "native-module")
    report = subject.supervisor.run(job)
    missing = report.events.parts.content(MissingNames)
    if missing == ():
        return Probe(what, "ok", "coremltools' native code has every name that is needed")
    ended = "it handed over nothing" if report.failure is None else f"{report.failure.clause()}."
    return Probe(
        what,
        "not ok",
        f"it lacks {', '.join(missing)}." if missing else ended,
        f"pip install --force-reinstall coremltools=={COREMLTOOLS}, with an interpreter for this processor.",
    )


def free_disk(free_gb: float) -> Probe:
    """Whether there is disk space for a package, its compiled copies and Core ML's caches."""
    largest_gb = free_gb / COPIES_AT_ONCE
    text = f"{free_gb:.1f} GB free, enough for packages of up to {largest_gb:.2g} GB"
    if largest_gb >= LEAST_PACKAGE_GB:
        return Probe("disk", "ok", text)
    needed = COPIES_AT_ONCE * LEAST_PACKAGE_GB
    return Probe(
        "disk",
        "not ok",
        f"{text}; {needed:g} GB are {COPIES_AT_ONCE} copies of a package of {LEAST_PACKAGE_GB:g} GB.",
        "free some: Core ML compiles and caches base and head.",
    )
