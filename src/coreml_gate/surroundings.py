"""A command's side effects: folder, environment, consoles, processes. Only ``cli.py`` builds real ones."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from coreml_gate.starting import Start, start_process
from coreml_gate.streams import Screen


@dataclass(frozen=True)
class Surroundings:
    """Folder, environment and consoles of one command."""

    folder: Path
    """The folder that relative paths start from."""
    environment: Mapping[str, str]
    """Variables for the command and its child processes."""
    out: Screen
    """Receives the answer."""
    err: Screen
    """Receives progress and errors."""
    start: Start = start_process
    """Starts child processes."""
    is_quiet: bool = False
    """Whether to print only the first line of a verdict, and no progress."""

    def quiet(self) -> Self:
        """The same without progress. No error is lost, since ``cli.py`` prints those."""
        return replace(self, err=Screen(self.err.file, quiet=True), is_quiet=True)

    def print_json(self, answer: object) -> None:
        """Print a command's answer as one JSON document."""
        text = json.dumps(answer, indent=1, ensure_ascii=False)
        self.out.print(text)
