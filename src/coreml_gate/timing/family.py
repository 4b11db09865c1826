"""What remains of a result when many were looked at?

Twenty models with five metrics give chance a hundred opportunities.
"""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p-values as if each stood alone: at most ``alpha`` of them below it keeps the family's error there.

    Step-down method of Holm 1979 (Scandinavian Journal of Statistics 6).
    """
    count = len(p_values)
    adjusted = [1.0] * count
    greatest = 0.0
    for rank, position in enumerate(sorted(range(count), key=p_values.__getitem__)):
        greatest = max(greatest, min(1.0, (count - rank) * p_values[position]))
        adjusted[position] = greatest
    return tuple(adjusted)
