"""Is everything there that the gate stands on: Python, versions, the native half of coremltools, disk?"""

import platform
import shutil
import sys
from collections.abc import Iterator
from typing import Final

from coreml_gate.children.job import MachineJob
from coreml_gate.doctor.answer import OFF_A_MAC, Answer, Subject
from coreml_gate.measurements.native_module import MissingNames

GIGABYTE: Final = 10**9
LEAST_FREE_GB: Final = 5.0
"""Two packages of a model of 200 MB, compiled once per child, leave room for several models."""
PYTHONS: Final = ((3, 11), (3, 12), (3, 13))
"""What coremltools 9.0 has wheels with a native half for."""
COREMLTOOLS: Final = "9.0"
NUMPY_BREAKS_FROM: Final = (2, 4)
"""coremltools 9.0 cannot convert with it (repaired later by apple/coremltools#2632)."""


def examine_toolchain(subject: Subject) -> Iterator[Answer]:
    """Python, versions, native module, free disk."""
    yield _python(sys.version_info[:2])
    yield versions(subject)
    yield _native_module(subject)
    yield free_disk(shutil.disk_usage(subject.folder).free / GIGABYTE)


def _python(version: tuple[int, int]) -> Answer:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if version in PYTHONS:
        return Answer("python", "ok", text)
    return Answer(
        "python",
        "not ok",
        f"{text}: coremltools {COREMLTOOLS} has no wheel for it.",
        "make the environment with Python 3.11, 3.12 or 3.13.",
    )


def versions(subject: Subject) -> Answer:
    """Are these the versions that the gate was built and tested with?"""
    text = ", ".join(f"{name} {version}" for name, version in subject.versions.items())
    numpy = tuple(int(part) for part in subject.versions["numpy"].split(".")[:2])
    if subject.versions["coremltools"] != COREMLTOOLS:
        return Answer(
            "versions",
            "cannot tell",
            f"{text}: built and tested with coremltools {COREMLTOOLS}.",
            "what follows tells whether this version does as well.",
        )
    if numpy >= NUMPY_BREAKS_FROM:
        return Answer(
            "versions",
            "not ok",
            f"{text}: this numpy breaks the converter.",
            'pip install "numpy<2.4" (apple/coremltools#2632).',
        )
    return Answer("versions", "ok", text)


def _native_module(subject: Subject) -> Answer:
    what = "native module"
    if not subject.is_mac:
        return Answer(what, "cannot tell", "coremltools has a native half on macOS only.", OFF_A_MAC)
    job = MachineJob(only=("native-module",), folder=subject.folder / "native-module")
    report = subject.supervisor.run(job)
    missing = report.events.parts.content(MissingNames)
    if missing == ():
        return Answer(what, "ok", "coremltools' native half has every name that is needed")
    ended = "it handed over nothing" if report.failure is None else f"{report.failure.clause()}."
    return Answer(
        what,
        "not ok",
        f"it lacks {', '.join(missing)}." if missing else ended,
        f"pip install --force-reinstall coremltools=={COREMLTOOLS}, with an interpreter for this processor.",
    )


def free_disk(free_gb: float) -> Answer:
    """Is there room for packages and compiled models?"""
    text = f"{free_gb:.1f} GB free"
    if free_gb >= LEAST_FREE_GB:
        return Answer("disk", "ok", text)
    return Answer(
        "disk", "not ok", f"{text}, needed {LEAST_FREE_GB:g} GB.", "free some: every child compiles anew."
    )
