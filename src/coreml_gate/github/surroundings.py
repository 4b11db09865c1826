"""What a step touches of the world, and the tools with side effects that it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from rich.console import Console

from coreml_gate.github.client import Client


class Around(Protocol):
    """What a step touches of the world: the command line's own surroundings have it."""

    @property
    def folder(self) -> Path:
        """Where relative paths count from."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of the job."""

    @property
    def out(self) -> Console:
        """The log, in which lines may be commands."""


@dataclass(frozen=True)
class Tools:
    """Everything with a side effect that a step uses."""

    connect: Callable[[Mapping[str, str], str], Client]
    clock: Callable[[], datetime]
    new_token: Callable[[], str]
    """A word that nobody can guess."""
