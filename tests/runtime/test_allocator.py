"""Freed memory stays with the process: taken again, it costs no page faults."""

import resource

import pytest
import torch

from coreml_gate.runtime.allocator import LARGEST_KEPT, MOST_FREE, keep_freed_memory

pytestmark = pytest.mark.skipif(not keep_freed_memory(), reason="this C library is not glibc")
BLOCK = LARGEST_KEPT // 2
COUNT = MOST_FREE // BLOCK - 1


def faults_of_taking(count: int) -> int:
    """Page faults of filling this many blocks at once, which are free again afterwards."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.ones(BLOCK, dtype=torch.uint8) for _ in range(count)]
    assert all(int(block[-1]) == 1 for block in blocks)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_blocks_that_were_freed_are_taken_again_without_page_faults() -> None:
    pages = COUNT * BLOCK // resource.getpagesize()
    faults_of_taking(COUNT)
    assert faults_of_taking(COUNT) < pages // 10
