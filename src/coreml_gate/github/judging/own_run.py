"""Publishes the Verdict of this very run, whose data is trusted."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from coreml_gate.errors import GateError
from coreml_gate.frozen import changed
from coreml_gate.gate.request import BASE_FOLDER
from coreml_gate.github.api.client import Client
from coreml_gate.github.api.event import Event
from coreml_gate.github.api.pull_request import Pull, if_current, read_pull
from coreml_gate.github.evidence.baseline import BaselineNote, read_note
from coreml_gate.github.judging.known_to_github import (
    with_carried,
    with_config_and_overrides,
    with_drift,
    with_queued_overrides,
)
from coreml_gate.github.judging.no_verdict import NoVerdict, broken
from coreml_gate.github.judging.publication import Publication, PublicationTerms, attempt
from coreml_gate.record import RECORD_NAME, Record, read_record
from coreml_gate.report.document import read_report
from coreml_gate.verdict import Verdict

INTERRUPTED: Final = frozenset({128 + 2, 128 + 15})
"""Exit codes after SIGINT or SIGTERM: what such a run left behind is not a Verdict."""
_OWN_LIMITS: Final = "Judged with the limits of the pull request itself."


def own_publication(
    client: Client,
    event: Event,
    report: Path,
    note_folder: Path,
    terms: PublicationTerms,
    ended: NoVerdict | None = None,
) -> Publication:
    """What this run publishes; ``ended`` says how its job ended, if without a Verdict."""
    notices: list[str] = []
    pull = _pull_request_of(client, event, notices)
    try:
        judged = _read(report, note_folder, terms)
    except GateError as error:
        why, error_to_raise = (broken(error), error) if ended is None else (ended, None)
        return _without_verdict(why, pull, event, notices, error_to_raise)
    if ended is not None and judged.exit_code in INTERRUPTED:
        return _without_verdict(ended, pull, event, notices)
    if event.pull_request is None:
        return Publication(
            with_queued_overrides(client, judged, event, terms, notices), notices=tuple(notices)
        )
    found = _of_pull_request(client, event, judged, report.parent, pull, terms, notices)
    return replace(found, base=_base_record(judged, (report.parent / BASE_FOLDER, note_folder)))


def _of_pull_request(
    client: Client,
    event: Event,
    judged: Verdict,
    folder: Path,
    pull: Pull | None,
    terms: PublicationTerms,
    notices: list[str],
) -> Publication:
    verdict = changed(judged, commit=event.head_sha)
    head = _record_in(folder)
    if pull is None:
        return Publication(verdict, None, tuple(notices), head)
    verdict = with_config_and_overrides(client, verdict, pull, terms, notices, event.head_sha, _OWN_LIMITS)
    verdict = with_drift(client, verdict, pull, head, terms, notices)
    return Publication(verdict, if_current(pull, event, notices), tuple(notices), head)


def _without_verdict(
    why: NoVerdict, pull: Pull | None, event: Event, notices: list[str], error: GateError | None = None
) -> Publication:
    current = None if pull is None else if_current(pull, event, notices)
    return Publication(why, current, tuple(notices), error=error)


def _pull_request_of(client: Client, event: Event, notices: list[str]) -> Pull | None:
    number = event.pull_request
    return None if number is None else attempt(lambda: read_pull(client, number), notices)


def _read(report: Path, note_folder: Path, terms: PublicationTerms) -> Verdict:
    verdict = _with_note(read_report(report), read_note(note_folder))
    return with_carried(verdict, _record_in(note_folder), terms)


def _base_record(judged: Verdict, folders: Iterable[Path]) -> Record | None:
    """The base's Record: rebuilt here, or unpacked by an earlier step."""
    records = (_record_in(folder) for folder in folders)
    return next(
        (each for each in records if each is not None and each.commit == judged.baseline.commit), None
    )


def _record_in(folder: Path) -> Record | None:
    """The Record of an earlier step in a folder, or ``None``."""
    file = folder / RECORD_NAME
    return read_record(file) if file.exists() else None


def _with_note(verdict: Verdict, note: BaselineNote | None) -> Verdict:
    """The Verdict with the baseline's origin as the search for it described it."""
    if note is None:
        return verdict
    facts = verdict.baseline
    made = "rebuilt in this run" if facts.present and facts.commit else facts.origin
    _, separator, measured_again = facts.origin.partition("; ")
    origin = f"{note.origin}{separator}{measured_again}"
    if note.source in ("rebuild", "none"):
        origin = f"{made}: {note.origin}"
    return changed(verdict, baseline=changed(verdict.baseline, origin=origin))
