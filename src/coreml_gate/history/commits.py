"""A Record as an entry of the history: git knows when its commit was made, or else the Record does."""

from coreml_gate.errors import RepositoryError
from coreml_gate.gate.git import Repository
from coreml_gate.history.document import CommitEntry
from coreml_gate.history.measured import entry_of
from coreml_gate.record import Record


def dated_entry(record: Record, repository: Repository | None) -> CommitEntry | None:
    """The entry of a Record; ``None`` for a Record that is not that of a commit."""
    return entry_of(record, *_moment(record, repository))


def _moment(record: Record, repository: Repository | None) -> tuple[str, int]:
    """When the commit was made; when it was measured, where the repository does not hold it."""
    if repository is None or record.commit is None:
        return record.created, 0
    try:
        return repository.moment(record.commit)
    except RepositoryError:
        return record.created, 0
