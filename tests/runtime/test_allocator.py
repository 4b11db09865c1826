"""Freed memory stays with the process: taken again, it costs no page faults."""

import json
from pathlib import Path
from typing import Final

import pytest

from coreml_gate.runtime.allocator import LARGEST_KEPT, MOST_FREE, keep_freed_memory
from tests.warm import forked

pytestmark = pytest.mark.skipif(not keep_freed_memory(), reason="this C library is not glibc")
_TAKE: Final = """
import json
import resource
import torch
from coreml_gate.runtime.allocator import LARGEST_KEPT, MOST_FREE, keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.ones(LARGEST_KEPT // 2, dtype=torch.uint8) for _ in range(MOST_FREE // LARGEST_KEPT)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
given_back = faults()
keep_freed_memory()
faults()
print(json.dumps([given_back, min(faults() for _ in range(5)), resource.getpagesize()]))
"""


def test_blocks_that_were_freed_are_taken_again_without_page_faults(tmp_path: Path) -> None:
    """In a process of its own: what other tests left free decides what goes back to the system."""
    given_back, kept, page = json.loads(forked(_TAKE, tmp_path)[1])
    pages = LARGEST_KEPT // 2 * (MOST_FREE // LARGEST_KEPT) // page
    assert given_back > pages // 2
    assert kept < pages // 10


_HOLES: Final = """
import ctypes
import json
import psutil
import torch
from coreml_gate.runtime.allocator import give_back, keep_freed_memory

keep_freed_memory()
ctypes.CDLL(None).malloc_trim(0)  # what the imports left free
process, blocks = psutil.Process(), [torch.ones(2**20, dtype=torch.uint8) for _ in range(BLOCKS)]
held = [process.memory_info().rss]
blocks[:-1] = []
held.append(process.memory_info().rss)
give_back()
held.append(process.memory_info().rss)
print(json.dumps([*held, int(blocks[-1].sum())]))
"""


@pytest.mark.parametrize(("blocks", "share"), [(400, 0.9), (200, 0.0)])
def test_much_that_lies_free_below_a_block_in_use_is_handed_back(
    blocks: int, share: float, tmp_path: Path
) -> None:
    held, freed, handed_back, kept = json.loads(forked(_HOLES.replace("BLOCKS", str(blocks)), tmp_path)[1])
    assert held - freed < 20 * 2**20
    assert freed - handed_back == pytest.approx(share * blocks * 2**20, abs=0.1 * blocks * 2**20)
    assert kept == 2**20
