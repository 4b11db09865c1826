"""Puts something of ours in the place of a library's own, and the library's own back again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from coreml_gate.untyped import CoreMlObject


@contextmanager
def replaced(
    owner: CoreMlObject, name: str, made_of: Callable[[CoreMlObject], CoreMlObject]
) -> Iterator[None]:
    """Within the block, ``owner.name`` is what ``made_of`` makes of the original.

    A class or module of another version, without that name, stays as it is.
    """
    original, own = getattr(owner, name, None), vars(owner).get(name)
    if original is None:
        yield
        return
    setattr(owner, name, made_of(original))
    try:
        yield
    finally:
        if own is None:  # inherited
            delattr(owner, name)
        else:
            setattr(owner, name, own)
