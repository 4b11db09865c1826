"""A fixed sample of a large suite: the same tests in every process and on every day."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
_GOLDEN = (5**0.5 - 1) / 2


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


def spread(items: Iterable[T], key: Callable[[T], str]) -> list[T]:
    """All items in rounds of one per key, each key's in an order that is even after any number of rounds.

    A run that is stopped has then seen every key, and the large ones evenly.
    """
    by_key: dict[str, list[T]] = {}
    for item in items:
        by_key.setdefault(key(item), []).append(item)
    rounds = [
        (turn, members[place])
        for members in by_key.values()
        for turn, place in enumerate(_even(len(members)))
    ]
    return [item for _, item in sorted(rounds, key=lambda pair: pair[0])]


def _even(count: int) -> list[int]:
    """The places below ``count``, ordered so that every beginning is evenly spaced (golden section)."""
    return sorted(range(count), key=lambda place: (place * _GOLDEN) % 1)
