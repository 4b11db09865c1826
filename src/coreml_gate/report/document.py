"""report.json: the Verdict for programs, with a published schema."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from coreml_gate.errors import RecordError
from coreml_gate.frozen import FrozenModel, computed, first_problem
from coreml_gate.reading import read_named
from coreml_gate.report.options import ReportOptions
from coreml_gate.verdict import Status, Verdict
from coreml_gate.version import __version__

SCHEMA_VERSION: Final = 1
_WAY_OUT: Final = "name a report.json from this version of `coreml-gate run` or `judge`."


class Tool(FrozenModel):
    """The program that wrote the document."""

    name: Literal["coreml-gate"] = "coreml-gate"
    version: str


class Counts(FrozenModel):
    """Numbers of models by status, and of models not measured."""

    passed: int
    warned: int
    failed: int
    unsure: int
    skipped: int
    not_measured: int


class ReportDocument(Verdict):
    """A Verdict, the program that gave it, and the number of models by status."""

    schema_version: Literal[1] = SCHEMA_VERSION
    tool: Tool

    @computed
    def counts(self) -> Counts:
        """The number of models by status."""
        by_status = Counter(model.verdict for model in self.models)
        return Counts(
            passed=by_status[Status.PASS],
            warned=by_status[Status.WARN],
            failed=by_status[Status.FAIL],
            unsure=by_status[Status.UNSURE],
            skipped=by_status[Status.SKIPPED],
            not_measured=len(self.skipped),
        )


def render(verdict: Verdict, options: ReportOptions) -> str:
    """The document as indented JSON; options have no effect, since it contains everything."""
    del options
    return build(verdict).model_dump_json(indent=2) + "\n"


def build(verdict: Verdict) -> ReportDocument:
    """The document for a Verdict."""
    fields = {name: getattr(verdict, name) for name in Verdict.model_fields}
    return ReportDocument(**fields, tool=Tool(version=__version__))


def read_report(path: Path) -> Verdict:
    """Read a document; :class:`RecordError` says what is wrong with the file."""
    try:
        return ReportDocument.model_validate_json(read_named(path))
    except OSError as error:
        raise RecordError(f"report `{path}` cannot be read: {error}.", _WAY_OUT) from error
    except ValidationError as error:
        raise RecordError(f"report `{path}`: {first_problem(error)}.", _WAY_OUT) from error


def schema() -> str:
    """The JSON schema of the document (docs/report.schema.json)."""
    from coreml_gate.described import DescribedSchema  # noqa: PLC0415 - no report needs it

    body: dict[str, Any] = ReportDocument.model_json_schema(
        mode="serialization", schema_generator=DescribedSchema
    )
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | body, indent=2, ensure_ascii=False) + "\n"
