"""What a command touches of the world around it; only ``cli.py`` builds the real one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

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
    is_quiet: bool = False
    """Whether a verdict is its first line alone, and progress nothing."""

    def quiet(self) -> Self:
        """The same without progress; errors are not printed by commands, so none is lost."""
        return replace(self, err=Console(file=self.err.file, quiet=True), is_quiet=True)

    def print_json(self, answer: object) -> None:
        """The answer of a command to a machine: one JSON document on standard output."""
        text = json.dumps(answer, indent=1, ensure_ascii=False)
        self.out.print(text, markup=False, highlight=False, soft_wrap=True)
