"""A job on a runner: its folder, its variables, its event, its log, and the steps that it calls."""

import argparse
import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from coreml_gate.github.api.client import connect
from coreml_gate.github.commands import describe
from coreml_gate.github.effects import Effects
from coreml_gate.record import Record, write_record
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from coreml_gate.verdict import Verdict
from tests.github_api.hub import FORKER, FULL_NAME, REPOSITORY_ID, WORKFLOW
from tests.github_side.conftest import HASTY
from tests.github_side.stored import BASE, HEAD

HOME = {"id": REPOSITORY_ID, "default_branch": "main"}
FORK = {"id": 666, "owner": {"login": FORKER}}
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def pull_request(head_repository: Mapping[str, Any] = HOME) -> dict[str, Any]:
    head = {"sha": HEAD, "ref": "feature", "repo": head_repository}
    return {"pull_request": {"number": 7, "head": head, "base": {"sha": BASE, "ref": "main", "repo": HOME}}}


def workflow_run(run: int, action: str = "completed", conclusion: str | None = "success") -> dict[str, Any]:
    facts = {
        "id": run,
        "event": "pull_request",
        "path": WORKFLOW,
        "head_sha": HEAD,
        "head_branch": "feature",
        "head_repository": FORK,
        "conclusion": conclusion,
    }
    return {"action": action, "workflow_run": facts, "repository": HOME}


PUSH = {"ref": "refs/heads/main", "after": BASE, "repository": HOME}
MERGE_GROUP = {"merge_group": {"head_sha": HEAD, "base_sha": BASE, "base_ref": "refs/heads/main"}}


class Job:
    """One job; steps run in it one after another."""

    def __init__(self, folder: Path, environment: Mapping[str, str], event: str, payload: Any) -> None:
        self.folder = folder
        self.log = StringIO()
        (folder / "event.json").write_text(json.dumps(payload))
        self.environment = {
            **environment,
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GITHUB_SHA": HEAD,
            "GITHUB_RUN_ID": "99",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_REF_NAME": "main",
            "GITHUB_WORKFLOW_REF": f"{FULL_NAME}/{WORKFLOW}@refs/heads/main",
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        }

    def run(self, *arguments: str) -> int:
        """One step; an error of the tree is raised as it is."""
        numbers = itertools.count()
        tools = Effects(
            lambda variables, name: connect(variables, name, HASTY), lambda: NOON, lambda: f"t{next(numbers)}"
        )
        parser = argparse.ArgumentParser()
        describe(parser, tools)
        parsed = parser.parse_args(arguments)
        console = Screen(self.log)
        return int(parsed.command(parsed, Surroundings(self.folder, self.environment, console, console)))

    def outputs(self) -> dict[str, str]:
        """All outputs so far."""
        lines = iter((self.folder / "output").read_text().splitlines())
        found = {}
        for line in lines:
            name, _, delimiter = line.partition("<<")
            found[name] = "\n".join(itertools.takewhile(lambda text: text != delimiter, lines))  # noqa: B023
        return found

    def leave_report(self, verdict: Verdict, record: Record | None = None) -> None:
        """What ``run`` would have left behind."""
        output = self.folder / ".coreml-gate"
        output.mkdir(exist_ok=True)
        (output / "report.json").write_text(FORMATS["json"](verdict, ReportOptions()))
        if record is not None:
            write_record(record, output / "record.json")
