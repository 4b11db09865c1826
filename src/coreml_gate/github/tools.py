"""The tools with side effects that a step is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from coreml_gate.github.client import Client


@dataclass(frozen=True)
class Tools:
    """Everything with a side effect that a step uses."""

    connect: Callable[[Mapping[str, str], str], Client]
    clock: Callable[[], datetime]
    new_token: Callable[[], str]
    """A word that nobody can guess."""
