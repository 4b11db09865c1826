"""What a child finds at its start: run by itself as a child, fresh and forked (test_warm.py)."""

import gc
import json
import os
import random
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from coreml_gate.worker.libraries import load_libraries

STATUS = (
    "Umask",
    "SigPnd",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "Threads",
    "NoNewPrivs",
    "Seccomp",
    "Cpus_allowed",
    "Uid",
    "Gid",
    "Groups",
)
LIBRARIES = ("torch", "coremltools", "numpy", "sympy", "networkx", "coreml_gate.measure", "coreml_gate.rules")


def of_the_system() -> dict[str, Any]:
    own = Path("/proc/self")
    status = dict(line.split(":", 1) for line in (own / "status").read_text().splitlines())
    descriptors = {int(each.name): str(each.readlink()) for each in (own / "fd").iterdir() if each.exists()}
    return {
        "status": {name: status[name].split() for name in STATUS if name in status},
        "descriptors": {number: place.partition(":")[0] for number, place in sorted(descriptors.items())},
        "mark": f"COREML_GATE_CHILD={os.environ['COREML_GATE_CHILD']}" in (own / "environ").read_text(),
        "group": (os.getsid(0) == os.getppid(), os.getpgrp() == os.getppid()),
        "limits": [resource.getrlimit(kind) for kind in range(16)],
        "niceness": os.nice(0),
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
    }


def of_python() -> dict[str, Any]:
    return {
        "main": (__name__, __spec__.name, sys.modules["__main__"].__spec__.name),  # type: ignore[union-attr]
        "arguments": (sys.argv, sys.orig_argv),
        "path": sys.path,
        "flags": (str(sys.flags), sys.dont_write_bytecode, sys.getrecursionlimit()),
        "garbage": (gc.isenabled(), gc.get_threshold()),
        "importers": (len(sys.meta_path), len(sys.path_hooks)),
        "handlers": [
            str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
        ],
        "input": sys.stdin.read(),
        "streams": [(each.encoding, each.errors, each.line_buffering) for each in (sys.stdout, sys.stderr)],
        "hashes": (hash("a"), hash(b"b")),
        "temporary files": tempfile.gettempdir(),
        "libraries": sorted(name for name in sys.modules if name.startswith(LIBRARIES)),
    }


def of_the_libraries() -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415 - as late as a model does
    import torch  # noqa: PLC0415

    torch.manual_seed(0)
    matrix = torch.randn(64, 64)
    layer = torch.nn.Conv2d(4, 4, 3)
    answer = layer(torch.randn(1, 4, 16, 16)).sum()
    answer.backward()  # type: ignore[no-untyped-call]
    assert layer.weight.grad is not None
    return {
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "bits": (matrix @ matrix).numpy().tobytes().hex(),
        "gradient": layer.weight.grad.numpy().tobytes().hex(),
        "product": float((np.ones((64, 64)) @ np.ones((64, 64))).sum()),
    }


def drawn() -> list[Any]:
    """What no two processes have in common."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    numbers = [np.random.random(), random.random(), torch.initial_seed()]  # noqa: NPY002 - those of all
    return [*numbers, os.environ["COREML_GATE_CHILD"], os.getpid()]


if __name__ == "__main__":
    load_libraries()
    Path("drawn.json").write_text(json.dumps(drawn()))
    found = {**of_the_system(), **of_python(), **of_the_libraries()}
    Path("found.json").write_text(json.dumps(found, default=str))
    Path("end").touch()
