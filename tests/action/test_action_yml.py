"""action.yml, its scripts, its types and its page say the same."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from coreml_gate.github.api.event import MODES as MODES_OF_EVENTS
from coreml_gate.github.api.event import Mode, Work
from coreml_gate.github.commands import CHECK_KINDS, COMMENT_MODES, MODES
from tests.action.document import HEADS, README, ROOT, read, shown, table

ACTION = read("action.yml")
STEPS = ACTION["runs"]["steps"]
SCRIPTS = {step["name"]: step for step in STEPS if "run" in step}
WORKFLOWS = sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("examples/workflows/*.yml")])
_OF_RUNNER = re.compile(r"GITHUB_|RUNNER_")


def script_of(step: Any) -> Path:
    found = re.fullmatch(r'"\$GITHUB_ACTION_PATH/(action/[\w-]+\.sh)"', step["run"])
    assert found is not None, step["run"]
    return ROOT / found[1]


def uses(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("uses"), str):
            yield document["uses"]
        for inner in document.values():
            yield from uses(inner)
    elif isinstance(document, list):
        for inner in document:
            yield from uses(inner)


@pytest.mark.parametrize("kind", HEADS)
def test_the_readme_shows_all_of_them(kind: str) -> None:
    assert shown(kind, README.read_text(encoding="utf-8")) == table(kind)


@pytest.mark.parametrize("kind", HEADS)
def test_each_has_a_type_and_a_description(kind: str) -> None:
    assert list(read("action-types.yml")[kind]) == list(ACTION[kind])
    assert all(re.fullmatch(r"[a-z][a-z-]*[a-z]", name) for name in ACTION[kind])
    assert all(described["description"].strip().endswith(".") for described in ACTION[kind].values())


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("mode", MODES),
        ("check", CHECK_KINDS),
        ("comment", COMMENT_MODES),
        ("core-ml", ("auto", "off", "stand-in")),
    ],
)
def test_choices_are_those_of_the_command_line(name: str, values: tuple[str, ...]) -> None:
    assert tuple(read("action-types.yml")["inputs"][name]["allowed-values"]) == values
    assert ACTION["inputs"][name]["default"] in values


def test_outputs_have_the_modes_that_there_are() -> None:
    assert set(read("action-types.yml")["outputs"]["mode"]["allowed-values"]) == {mode.value for mode in Mode}
    assert {mode for modes in MODES_OF_EVENTS.values() for mode in modes.values()} == set(Mode) - {
        Mode.ANNOUNCE
    }


@pytest.mark.parametrize("name", ACTION["inputs"])
def test_every_input_is_used_under_one_name(name: str) -> None:
    expression = f"${{{{ inputs.{name} }}}}"
    variables = {
        variable
        for step in STEPS
        for variable, value in {**step.get("env", {}), **step.get("with", {})}.items()
        if expression in str(value)
    }
    known_elsewhere = {"pattern"} if name == "key" else set()

    assert len(variables - known_elsewhere) == 1


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_gets_what_it_reads_and_reads_what_it_gets(name: str) -> None:
    step = SCRIPTS[name]
    text = script_of(step).read_text(encoding="utf-8")
    if "arguments.sh" in text:
        text += (ROOT / "action" / "arguments.sh").read_text(encoding="utf-8")
    read_there = {word for word in re.findall(r"\$\{?([A-Z][A-Z_]+)\b", text) if not _OF_RUNNER.match(word)}

    assert read_there == set(step["env"]) - {"GITHUB_TOKEN"}
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "set -euo pipefail" in text
    assert script_of(step).stat().st_mode & 0o111


def test_each_script_calls_the_command_line_once() -> None:
    for step in SCRIPTS.values():
        text = script_of(step).read_text(encoding="utf-8")
        calls = re.findall(r"^coreml_gate(?:_on_models)? ", text, re.MULTILINE)
        assert len(calls) == (0 if step["name"] in ("Prepare", "Install") else 1), step["name"]
    assert {script_of(step) for step in SCRIPTS.values()} | {ROOT / "action" / "arguments.sh"} == set(
        ROOT.glob("action/*.sh")
    )


def test_no_expression_gets_into_a_script() -> None:
    assert [step["name"] for step in SCRIPTS.values() if "${{" in step["run"]] == []


def test_the_token_goes_only_where_it_is_needed_and_never_to_the_models() -> None:
    holders = {name for name, step in SCRIPTS.items() if "GITHUB_TOKEN" in step["env"]}

    assert holders == {"Start", "Keep what was accepted", "Find the baseline", "Report"}
    running = {name for name, step in SCRIPTS.items() if "_on_models" in script_of(step).read_text()}
    assert running == {"Collect", "Measure"}


def test_the_check_is_concluded_however_the_steps_ended() -> None:
    (report,) = (step for step in STEPS if step["name"] == "Report")

    assert report["if"] == "always() && contains(steps.start.outputs.work, 'report')"
    assert report["env"]["JOB_STATUS"] == "${{ job.status }}"


def test_steps_ask_for_work_that_there_is() -> None:
    asked = {word for step in STEPS for word in re.findall(r"outputs\.work, '([\w-]+)'", step.get("if", ""))}

    assert asked == set(get_args(Work))


def test_every_output_comes_from_a_step_that_gives_it() -> None:
    folder = ROOT / "src" / "coreml_gate" / "github"
    source = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    ids = {step["id"] for step in STEPS if "id" in step}
    for name, described in ACTION["outputs"].items():
        given = re.findall(r"steps\.(\w+)\.outputs\.([\w-]+)", described["value"])
        assert given, name
        assert {step for step, _ in given} <= ids
        assert all(f'"{output}"' in source for _, output in given), name


@pytest.mark.parametrize("path", [ROOT / "action.yml", *WORKFLOWS], ids=lambda path: path.name)
def test_foreign_actions_are_pinned_by_commit(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for used in uses(yaml.safe_load(text)):
        if used == "coreml-gate/coreml-gate@v1":
            continue
        assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", used), used
        assert re.search(rf"uses: {re.escape(used)} # v\d+\.\d+\.\d+$", text, re.MULTILINE), used


def test_one_commit_for_each_foreign_action() -> None:
    pinned: dict[str, set[str]] = {}
    for path in (ROOT / "action.yml", *WORKFLOWS):
        for name, commit in re.findall(
            r"uses: ([\w-]+/[\w-]+)[\w/-]*@(\S+ # \S+)", path.read_text(encoding="utf-8")
        ):
            pinned.setdefault(name, set()).add(commit)

    assert {name: commits for name, commits in pinned.items() if len(commits) > 1} == {}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_have_least_permissions_and_an_end(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))

    assert workflow["permissions"] == {}
    assert "concurrency" in workflow
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        assert job["permissions"]
    text = path.read_text(encoding="utf-8")
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_the_half_that_can_write_checks_nothing_out() -> None:
    assert list(uses(read("examples/workflows/fork-report.yml"))) == ["coreml-gate/coreml-gate@v1"]
    jobs = read("examples/workflows/fork-measure.yml")["jobs"].values()
    assert {access for job in jobs for access in job["permissions"].values()} == {"read"}
