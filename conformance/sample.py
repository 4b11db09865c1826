"""A fixed sample of a large suite: the same tests in every process and on every day."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def spaced(count: int, most: int) -> tuple[int, ...]:
    """At most ``most`` of ``count`` places, evenly spaced from first to last; one alone is the middle."""
    if count <= most:
        return tuple(range(count))
    if most == 1:
        return (count // 2,)
    return tuple(sorted({round(place * (count - 1) / (most - 1)) for place in range(most)}))


def sample(items: Iterable[T], key: Callable[[T], str], most: int) -> list[T]:
    """At most ``most`` items of each key, in their order."""
    by_key: dict[str, list[T]] = {}
    for item in items:
        by_key.setdefault(key(item), []).append(item)
    return [members[place] for members in by_key.values() for place in spaced(len(members), most)]
