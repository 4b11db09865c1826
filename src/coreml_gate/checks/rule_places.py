"""At which places does a rule fire that the baseline does not have? A place is known by what it is about.

Names of operations are counters and move with every layer, so an operation of the head is the one that the
programs' outlines pair with it. Any other place (an input, a module, a version) is known by its name and what
is said of it, numbers left out.
"""

import re
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Final

from coreml_gate.mil.diff_matching import plain_name
from coreml_gate.record import RuleMatch, RulePlace

_NUMBER: Final = re.compile(r"\d+(\.\d+)?")
_COUNTER: Final = re.compile(r"_\d+")
"""What the converter appends to names that it makes; numbers in paths of modules are not counters."""


def new_places(head: RuleMatch, base: RuleMatch | None, partners: Mapping[str, str]) -> tuple[RulePlace, ...]:
    """The head's places without a partner among the baseline's, in order.

    A Record keeps the first few places of a rule; where there are more, their number is compared.

    :param partners: The baseline's operation for each of the head's, by plain names; empty for a new one.
    """
    if base is None:
        return head.places
    if not _is_whole(head) or not _is_whole(base):
        return (head.places[base.count :] or head.places[-1:]) if head.count > base.count else ()
    themselves = {name: name for name in partners.values()}
    known = Counter(_identity(place, themselves) for place in base.places)
    found: list[RulePlace] = []
    for place in head.places:
        identity = _identity(place, partners)
        if known[identity]:
            known[identity] -= 1
        else:
            found.append(place)
    return tuple(found)


def _is_whole(match: RuleMatch) -> bool:
    return match.count == len(match.places)


def _identity(place: RulePlace, partners: Mapping[str, str]) -> Hashable:
    name = plain_name(place.place)
    if name in partners:
        return partners[name]
    return _NUMBER.sub("#", place.text), _COUNTER.sub("_#", name)
