"""Injected side effects: API client, clock, token generator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from coreml_gate.github.api.client import Client


@dataclass(frozen=True)
class Effects:
    """All side effects that a step uses."""

    connect: Callable[[Mapping[str, str], str], Client]
    clock: Callable[[], datetime]
    new_token: Callable[[], str]
    """A random word that cannot be guessed."""
