import json
import os
from pathlib import Path

import jsonschema
import pytest

from coreml_gate.report import document
from coreml_gate.verdict import Status
from tests.report.verdicts import SITUATIONS, regression


@pytest.mark.parametrize("situation", SITUATIONS)
def test_document_obeys_the_published_schema(situation: str) -> None:
    instance = json.loads(document.build(SITUATIONS[situation]()).model_dump_json())
    jsonschema.validate(instance, json.loads(document.schema()))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_document_reads_back_as_the_verdict(situation: str) -> None:
    verdict = SITUATIONS[situation]()
    read = document.ReportDocument.model_validate_json(document.build(verdict).model_dump_json())
    assert read.models == verdict.models
    assert read.skipped == verdict.skipped


def test_a_report_from_the_pipe_of_a_shell_is_read() -> None:
    """``coreml-gate report <(unzip -p report.zip report.json)`` was refused as not a regular file."""
    reader, writer = os.pipe()
    os.write(writer, document.build(regression()).model_dump_json().encode())
    os.close(writer)
    assert document.read_report(Path(f"/dev/fd/{reader}")).models == regression().models
    os.close(reader)


def test_document_names_what_a_machine_asks_first() -> None:
    body = json.loads(document.build(regression()).model_dump_json())
    assert body["verdict"] == "fail"
    assert body["counts"] == {
        "passed": 1,
        "warned": 1,
        "failed": 1,
        "unsure": 0,
        "skipped": 0,
        "not_measured": 0,
    }
    digits = next(model for model in body["models"] if model["name"] == "digits")
    finding = next(each for each in digits["findings"] if each["check"] == "parity")
    assert (finding["status"], finding["value"], finding["limit"]) == (Status.FAIL, 0.31, 1e-4)
