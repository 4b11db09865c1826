"""Matches the outputs of a package with those of its source."""

from collections.abc import Sequence
from typing import TypeVar

from coreml_gate.mil.ir import Feature
from coreml_gate.record import FeatureFacts

Output = TypeVar("Output", Feature, FeatureFacts)


def in_source_order(outputs: Sequence[Output], names: Sequence[str]) -> tuple[Output, ...]:
    """The outputs in the order of the source's names where they bear exactly these, else as they are.

    A name says more than a place: a script that names two outputs of one shape the wrong way round would
    pass by position, and the app would read the one for the other.
    """
    by_name = {output.name: output for output in outputs}
    if len(by_name) == len(outputs) and by_name.keys() == set(names):
        return tuple(by_name[name] for name in names)
    return tuple(outputs)
