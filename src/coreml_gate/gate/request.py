"""What a user wants of one run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coreml_gate.errors import RepositoryError
from coreml_gate.gate.git import Repository
from coreml_gate.record_file import RECORD_NAME

BASE_FOLDER = "base"


@dataclass(frozen=True)
class Request:
    """One run: the trees, the models, and where results go."""

    root: Path
    """The folder that holds the configuration, or the repository around it."""
    output: Path
    config_file: Path | None = None
    models: tuple[str, ...] = ()
    base: str | None = None
    """The commit or branch to compare with, rebuilt unless ``baseline`` is given."""
    baseline: Path | None = None
    """A Record, or the folder of one, to compare with."""
    allow_dirty: bool = False
    rebuild: bool = True
    """Whether a base without a stored ``baseline`` is measured here."""

    @property
    def earlier_records(self) -> tuple[Path, ...]:
        """The baseline, and what earlier runs left in the output folder."""
        places = [self.output, self.output / BASE_FOLDER]
        if self.baseline is not None:
            places.append(self.baseline)
        return tuple(place if place.is_file() else place / RECORD_NAME for place in places)


def open_repository(request: Request, environment: Mapping[str, str]) -> Repository | None:
    """Open the repository; without one, everything but a comparison by commits still works."""
    try:
        return Repository.open(request.root, environment)
    except RepositoryError:
        if request.base is not None:
            raise
        return None
