"""Steps of a pull request that several jobs measure: share its models, and make one Record of theirs."""

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from coreml_gate.errors import GateError
from coreml_gate.gate.collect import RECORD_NAME
from coreml_gate.gate.shards import needing_core_ml, shards
from coreml_gate.github.annotations import notice
from coreml_gate.github.baseline import read_note, write_note
from coreml_gate.github.merge import merge_records, require_all, without_repeats
from coreml_gate.github.outputs import write_outputs
from coreml_gate.github.tools import Tools
from coreml_gate.record import read_record, write_record
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.surroundings import Surroundings
from coreml_gate.verdict import not_run
from coreml_gate.worker.job import MODELS_FOLDER


def merge(parsed: argparse.Namespace, around: Surroundings, tools: Tools) -> int:
    """Make one Record and one folder of packages of what the jobs of a matrix left behind."""
    del tools
    folders = [around.folder / path for path in parsed.records]
    target = around.folder / parsed.to
    target.mkdir(parents=True, exist_ok=True)
    if parsed.base:
        return _merge_bases(folders, target)
    with _reported(target):
        require_all(len(folders), parsed.expect)
        merged = merge_records([read_record(folder / RECORD_NAME) for folder in folders])
    for folder in folders:
        if (folder / MODELS_FOLDER).is_dir():
            shutil.copytree(folder / MODELS_FOLDER, target / MODELS_FOLDER, dirs_exist_ok=True)
    write_record(merged.record, target / RECORD_NAME)
    for line in merged.notes:
        around.out.print(notice(line, "warning"), markup=False, highlight=False, soft_wrap=True)
    return 0


@contextmanager
def _reported(folder: Path) -> Iterator[None]:
    """Leaves a report that says what went wrong, for the step that publishes one."""
    try:
        yield
    except GateError as error:
        verdict = not_run(error.message, error.hint, error.exit_code)
        (folder / "report.json").write_text(FORMATS["json"](verdict, ReportOptions()), encoding="utf-8")
        raise


def _merge_bases(folders: Sequence[Path], target: Path) -> int:
    """One Record of the base, unless no job has any; and the note of the first job that left one."""
    records = [read_record(path) for folder in folders if (path := folder / RECORD_NAME).exists()]
    if records:
        write_record(merge_records(without_repeats(records)).record, target / RECORD_NAME)
    note = next((note for folder in folders if (note := read_note(folder))), None)
    if note is not None:
        write_note(note, target)
    return 0


def matrix(parsed: argparse.Namespace, around: Surroundings, tools: Tools) -> int:
    """Which models a Mac has to look at, shared among a few jobs."""
    head = read_record(around.folder / parsed.record / RECORD_NAME)
    path = around.folder / parsed.baseline / RECORD_NAME
    names = needing_core_ml(head, read_record(path) if path.exists() else None)
    legs = shards(names, parsed.shards)
    outputs = {
        "matrix": json.dumps({"include": legs}) if legs else "",
        "records": str(len(legs) + 1),
    }
    file = around.environment.get("GITHUB_OUTPUT", "")
    write_outputs(Path(file) if file else None, outputs, tools.new_token)
    around.out.print(f"coreml-gate: {len(names)} model(s) for Core ML", markup=False, highlight=False)
    return 0
