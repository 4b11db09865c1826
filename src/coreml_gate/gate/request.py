"""What the user requests of one run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coreml_gate.errors import RepositoryError
from coreml_gate.gate.git import Repository
from coreml_gate.record_file import RECORD_NAME

BASE_FOLDER = "base"


@dataclass(frozen=True)
class Request:
    """One run: what to measure, what to compare with, and where results go."""

    root: Path
    """The folder of the configuration, or the repository around it."""
    output: Path
    config_file: Path | None = None
    models: tuple[str, ...] = ()
    base: str | None = None
    """The commit or branch to compare with, rebuilt unless ``baseline`` is given."""
    baseline: Path | None = None
    """A stored Record to compare with, or its folder."""
    allow_dirty: bool = False
    installed: tuple[str, ...] = ()
    """Files with requirements that were installed for this run, relative to ``root``."""
    rebuild: bool = True
    """Whether to measure the base if there is no stored ``baseline``."""

    @property
    def earlier_records(self) -> tuple[Path, ...]:
        """Paths of the baseline and of Records that earlier runs left in the output folder."""
        places = [self.output, self.output / BASE_FOLDER]
        if self.baseline is not None:
            places.append(self.baseline)
        return tuple(place if place.is_file() else place / RECORD_NAME for place in places)


def open_repository(request: Request, environment: Mapping[str, str]) -> Repository | None:
    """The repository, if there is one; an error only if the request compares with a commit."""
    try:
        return Repository.open(request.root, environment)
    except RepositoryError:
        if request.base is not None:
            raise
        return None
