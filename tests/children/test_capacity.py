"""How much of a machine a run may use: the limits of a container count, in both versions of cgroups."""

import os
from pathlib import Path

import psutil
import pytest

from coreml_gate.children.capacity import Capacity, capacity_of

GIB = 2**30


def system(root: Path, groups: str, files: dict[str, str]) -> Capacity:
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return capacity_of(root)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 8 cores with 32 GiB free."""
    free = psutil.virtual_memory()._replace(available=32 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def test_without_a_limit_the_machine_counts(tmp_path: Path) -> None:
    assert capacity_of(tmp_path) == Capacity(8, 32 * GIB)
    unlimited = {"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}
    assert system(tmp_path, "0::/\n", unlimited) == Capacity(8, 32 * GIB)


def test_the_second_version_and_what_lies_above_a_group(tmp_path: Path) -> None:
    found = system(
        tmp_path,
        "0::/kube/pod\n",
        {
            "sys/fs/cgroup/kube/memory.max": f"{6 * GIB}\n",
            "sys/fs/cgroup/kube/memory.current": f"{5 * GIB}\n",
            "sys/fs/cgroup/kube/memory.stat": f"anon {2 * GIB}\ninactive_file {3 * GIB}\n",
            "sys/fs/cgroup/kube/pod/cpu.max": "250000 100000\n",
            "sys/fs/cgroup/kube/pod/memory.max": "max\n",
        },
    )
    assert found == Capacity(2, 4 * GIB)


def test_the_first_version(tmp_path: Path) -> None:
    found = system(
        tmp_path,
        "4:memory:/job\n2:cpu,cpuacct:/\n0::/\n",
        {
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": f"{7 * GIB}\n",
            "sys/fs/cgroup/memory/job/memory.usage_in_bytes": f"{3 * GIB}\n",
            "sys/fs/cgroup/memory/job/memory.stat": f"cache 5\ntotal_inactive_file {GIB}\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "0\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
    )
    assert found == Capacity(1, 5 * GIB)


def test_a_quota_of_minus_one_is_none(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert system(tmp_path, "2:cpu:/\n", files).cores == 8
