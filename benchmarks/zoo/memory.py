"""How much memory does one variant hold at most? Asked in a process that does nothing else."""

import ctypes
import re
from pathlib import Path

import torch
from torch import nn

from coreml_gate.engines.python import load_callable
from coreml_gate.errors import SourceError
from zoo.row import Variant
from zoo.variants import VARIANTS, Subject

RUNS = 3


def peak_bytes(subject: Subject, variant: Variant) -> int:
    """Greatest resident memory while loading and running, above what was resident after the imports.

    Mapped weights count as soon as they are touched. Linux only; raises ``OSError`` elsewhere.
    """
    if variant == "eager":
        load_callable(subject.config.source, subject.root, SourceError)
    _touch_libraries()
    before = _start_peak()
    run = VARIANTS[variant](subject)
    for _ in range(RUNS):
        run()
    return _status("VmHWM") - before


def _touch_libraries() -> None:
    """Runs small layers, so that the libraries' own pages and threads do not count as the model's."""
    with torch.inference_mode():
        image = torch.ones(1, 3, 32, 32)
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(7200, 8))(image)
        nn.LSTM(8, 8)(torch.ones(4, 1, 8))
        heads = torch.ones(1, 2, 8, 8)
        nn.functional.scaled_dot_product_attention(heads, heads, heads)


def _start_peak() -> int:
    """Gives unused heap back, and starts a new peak from what is resident then (proc(5), clear_refs)."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _status(field: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/self/status does not tell {field}.")
    return int(found[1]) * 1024
