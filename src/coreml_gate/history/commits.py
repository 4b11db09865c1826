"""Makes a Record an entry of the history, with the commit's date from git, or else the Record's own."""

from coreml_gate.errors import RepositoryError
from coreml_gate.gate.git import Repository
from coreml_gate.history.document import CommitEntry
from coreml_gate.history.measured import entry_of
from coreml_gate.record import Record


def dated_entry(record: Record, repository: Repository | None) -> CommitEntry | None:
    """The entry of a Record; ``None`` if it is not of a commit."""
    return entry_of(record, *_moment(record, repository))


def _moment(record: Record, repository: Repository | None) -> tuple[str, int]:
    """When the commit was made, or if the repository lacks it, when it was measured."""
    if repository is None or record.commit is None:
        return record.created, 0
    try:
        return repository.moment(record.commit)
    except RepositoryError:
        return record.created, 0
