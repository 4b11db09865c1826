"""What a command touches of the world around it; only ``cli.py`` builds the real one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from coreml_gate.starting import Start, start_process


@dataclass(frozen=True)
class Surroundings:
    """Folder, environment and consoles of one command."""

    folder: Path
    """Where relative paths count from."""
    environment: Mapping[str, str]
    """The variables that a command reads, and that its child processes get."""
    out: Console
    """Where the answer goes."""
    err: Console
    """Where progress and errors go."""
    start: Start = start_process
    """Starts its child processes."""
