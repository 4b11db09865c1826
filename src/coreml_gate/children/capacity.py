"""Finds how much of this machine a run may use: cores and memory, within the limits of a container."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_OWN_GROUPS: Final = Path("proc/self/cgroup")
_MOUNT: Final = Path("sys/fs/cgroup")


@dataclass(frozen=True)
class Capacity:
    """The resources that a run may use."""

    cores: int
    memory_bytes: float
    """Free memory, including what the system gives back on demand."""


def capacity_of(root: Path = Path("/")) -> Capacity:
    """The machine's free memory and the cores that this process may run on, within the limits of its cgroups.

    Both versions of cgroups are read (cgroups(7)), each from the process's own group up to the one that a
    container shows as the root.

    :param root: The root of the file system with ``proc`` and ``sys``.
    """
    cores, memory = [float(_usable_cores())], [float(psutil.virtual_memory().available)]
    for group in _own_groups(root):
        cores += _cores(group)
        memory += _free_bytes(group)
    return Capacity(max(1, int(min(cores))), max(0.0, min(memory)))


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    return (os.cpu_count() or 1) if affinity is None else len(affinity(0))


def _own_groups(root: Path) -> Iterator[Path]:
    """The folders of the process's groups and of all groups above them, as far as they are mounted."""
    try:
        lines = (root / _OWN_GROUPS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        mount = root / _MOUNT / controllers
        own = mount / path.lstrip("/")
        yield from (each for each in (own, *own.parents) if each.is_relative_to(mount) and each.is_dir())


def _cores(group: Path) -> Iterator[float]:
    """The number of cores in the group's quota, if it has one."""
    for quota, period in (
        _numbers(group / "cpu.max", 2),
        (*_numbers(group / "cpu.cfs_quota_us", 1), *_numbers(group / "cpu.cfs_period_us", 1)),
    ):
        if quota is not None and period is not None and quota > 0 and period > 0:
            yield quota / period


def _free_bytes(group: Path) -> Iterator[float]:
    """The bytes left within the group's limit, if it has one; pages of files are given back on demand."""
    for limit_file, used_file in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        (limit,), (used,) = _numbers(group / limit_file, 1), _numbers(group / used_file, 1)
        if limit is not None and used is not None:
            yield limit - used + _reclaimable(group)


def _reclaimable(group: Path) -> float:
    try:
        lines = (group / "memory.stat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    found = {name: number for name, _, number in (line.partition(" ") for line in lines)}
    return float(found.get("total_inactive_file", found.get("inactive_file", 0)))


def _numbers(path: Path, count: int) -> tuple[float | None, ...]:
    """The numbers at the start of a file; ``None`` for ``max``, and for every number of a missing file."""
    try:
        words = path.read_text(encoding="utf-8").split()[:count]
    except OSError:
        words = []
    words += ["max"] * (count - len(words))
    return tuple(float(word) if word.lstrip("-").isdigit() else None for word in words)
