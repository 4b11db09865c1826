"""Is the greatest footprint at least what is held, and does it keep what was given back?"""

import numpy as np

from coreml_gate.children.process_memory import greatest_held_bytes, held_bytes


def test_the_greatest_remembers_what_was_given_back() -> None:
    before = held_bytes()
    block = np.ones(64 * 2**20, np.uint8)
    del block
    assert before > 2**20
    assert greatest_held_bytes() >= before + 60 * 2**20
