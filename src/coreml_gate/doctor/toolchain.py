"""Is everything there that the gate stands on: Python, versions, the native half of coremltools, disk?"""

import platform
import shutil
import sys
from collections.abc import Iterator
from typing import Final

from coreml_gate.doctor.answer import OFF_A_MAC, Answer, Patient
from coreml_gate.worker.process import Ending, log_tail, run_child

GIGABYTE: Final = 10**9
LEAST_FREE_GB: Final = 5.0
"""Two packages of a model of 200 MB, compiled once per child, leave room for several models."""
PYTHONS: Final = ((3, 11), (3, 12), (3, 13))
"""What coremltools 9.0 has wheels with a native half for."""
COREMLTOOLS: Final = "9.0"
NUMPY_BREAKS_FROM: Final = (2, 4)
"""coremltools 9.0 cannot convert with it (repaired later by apple/coremltools#2632)."""


def examine_toolchain(patient: Patient) -> Iterator[Answer]:
    """Python, versions, native module, free disk."""
    yield _python(sys.version_info[:2])
    yield versions(patient)
    yield _native_module(patient)
    yield free_disk(shutil.disk_usage(patient.folder).free / GIGABYTE)


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


def versions(patient: Patient) -> Answer:
    """Are these the versions that the gate was built and tested with?"""
    text = ", ".join(f"{name} {version}" for name, version in patient.versions.items())
    numpy = tuple(int(part) for part in patient.versions["numpy"].split(".")[:2])
    if patient.versions["coremltools"] != COREMLTOOLS:
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


def _native_module(patient: Patient) -> Answer:
    what = "native module"
    if not patient.is_mac:
        return Answer(what, "cannot tell", "coremltools has a native half on macOS only.", OFF_A_MAC)
    ending, lines = run_module("coreml_gate.worker.native_module", (), patient)
    if ending.how == "finished":
        return Answer(what, "ok", "coremltools' native half has every name that is needed")
    return Answer(
        what,
        "not ok",
        f"{ending.how} ({ending.detail}): {' | '.join(lines) or 'it printed nothing'}.",
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


def run_module(module: str, arguments: tuple[str, ...], patient: Patient) -> tuple[Ending, tuple[str, ...]]:
    """Run a module of ours in a child: how it ended, and the last lines that it printed."""
    log = patient.folder / f"{module.rpartition('.')[2]}.txt"
    ending = run_child(
        [sys.executable, "-P", "-m", module, *arguments],
        folder=patient.folder,
        log=log,
        environment=patient.around.environment,
        limits=patient.around.limits,
        current_step=lambda: "start",
        on_step=lambda _: None,
    )
    return ending, log_tail(log, 5)
