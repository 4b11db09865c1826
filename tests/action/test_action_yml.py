"""action.yml, its scripts, its types and its page say the same."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from coreml_gate.config.load import load_config
from coreml_gate.github.api.event import MODES as MODES_OF_EVENTS
from coreml_gate.github.api.event import Mode, Work
from coreml_gate.github.commands import CHECK_KINDS, COMMENT_MODES, MODES
from tests.action.document import HEADS, README, ROOT, read, shown, table

ACTION = read("action.yml")
STEPS = ACTION["runs"]["steps"]
SCRIPTS = {step["name"]: step for step in STEPS if "run" in step}
WORKFLOWS = sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("examples/workflows/*.yml")])
_OF_RUNNER = re.compile(r"GITHUB_|RUNNER_|COREML_GATE_|BASH_|IFS")


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
    announced = {Mode.ANNOUNCE}  # the first step alone does all of it, and leaves no mode
    modes = {mode.value for mode in set(Mode) - announced}
    assert set(read("action-types.yml")["outputs"]["mode"]["allowed-values"]) == modes
    assert {mode for modes in MODES_OF_EVENTS.values() for mode in modes.values()} == set(Mode)


@pytest.mark.parametrize("name", ACTION["inputs"])
def test_every_input_is_used_under_one_name(name: str) -> None:
    expression = f"${{{{ inputs.{name} }}}}"
    variables = {
        variable
        for step in STEPS
        for variable, value in {**step.get("env", {}), **step.get("with", {})}.items()
        if expression in str(value)
    }
    known_elsewhere = {"path", "name"} if name == "key" else set()

    assert len(variables - known_elsewhere) == 1


def everything_of(script: Path) -> str:
    """A script with all of the action's scripts that it sources, becomes or starts."""
    text, found = "", [script]
    for path in found:
        text += path.read_text(encoding="utf-8")
        named = (
            ROOT / name for name in re.findall(r"action/[\w-]+\.(?:sh|py)", path.read_text(encoding="utf-8"))
        )
        found += [each for each in named if each not in found]
    return text


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_gets_what_it_reads_and_reads_what_it_gets(name: str) -> None:
    step = SCRIPTS[name]
    script = script_of(step)
    text = everything_of(script)
    words = [
        *re.findall(r"\$\{?([A-Z][A-Z_]+)\b", text),
        *re.findall(r"environ(?:\.get\(|\[)[\"']([A-Z_]+)", text),
    ]
    read_there = {word for word in words if not _OF_RUNNER.match(word)}
    given = set(step["env"]) - {"GITHUB_TOKEN"}
    of_both_ends = {
        "VERDICT",
        "JOB_STATUS",
        "STARTED",
        "TIMEOUT_MINUTES",
        "OUTCOMES",
        "COMMENT",
        "COMMENT_AUTHOR",
    }

    assert given <= read_there
    assert read_there - given <= (of_both_ends if name == "Open" else set())
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "set -euo pipefail" in text
    assert script.stat().st_mode & 0o111


def test_the_last_command_of_a_step_becomes_its_process() -> None:
    """GitHub cancels by signals to the step's process alone: bash would keep them for itself."""
    becoming = r"^(?:exec|coreml_gate|coreml_gate_on_models|as_models_user) "
    for step in SCRIPTS.values():
        *_, last = script_of(step).read_text(encoding="utf-8").strip().splitlines()
        assert re.match(becoming, last) or step["name"] in ("Prepare", "Install"), step["name"]
    for name in ("arguments", "as-models-user"):
        text = (ROOT / "action" / f"{name}.sh").read_text(encoding="utf-8")
        assert re.search(r"^  exec ", text, re.MULTILINE)


@pytest.mark.attack("the model's own code")
@pytest.mark.parametrize("variable", ["", "."])
def test_the_gates_own_steps_import_nothing_of_the_repository(tmp_path: Path, variable: str) -> None:
    """A workflow may set PYTHONPATH for its own commands; the step that reports holds the token."""
    for name in ("json", "coreml_gate", "argparse"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w')\n")
    started = subprocess.run(
        ["bash", "-c", f'source "{ROOT}/action/arguments.sh"; coreml_gate --version'],
        cwd=tmp_path,
        env={**os.environ, "VENV": sys.prefix, "PYTHONPATH": variable},
        capture_output=True,
        text=True,
        check=True,
    )
    assert started.stdout.startswith("coreml-gate ")
    assert not (tmp_path / "imported").exists()


@pytest.mark.attack("what changed")
def test_the_measuring_step_says_which_requirements_it_installed(tmp_path: Path) -> None:
    """A file of requirements with a name of its own changed, and no model was measured."""
    empty = ("BASELINE", "CONFIG", "MODELS", "CORE_ML", "MODELS_USER", "BASE_SHA")
    given = {"GITHUB_ACTION_PATH": str(ROOT), "FOLDER": str(tmp_path), "PYTHON": "echo", "VENV": "own"}
    told = {"REQUIREMENTS": "needs.txt ml/torch.txt", "REQUIREMENTS_VENV": "theirs", "REBUILD_BASE": "true"}
    started = subprocess.run(
        ["bash", str(ROOT / "action" / "measure.sh")],
        env={**os.environ, **dict.fromkeys(empty, ""), **given, **told},
        capture_output=True,
        text=True,
        check=True,
    )
    assert " run " in started.stdout
    assert "--installed needs.txt --installed ml/torch.txt" in started.stdout


@pytest.mark.attack("the model's own code")
def test_every_other_python_of_a_step_is_isolated() -> None:
    """A pip.py or venv.py of a pull request ran as the runner's user while the gate was installed."""
    started = [
        f"{script.name}: {line.strip()}"
        for script in sorted((ROOT / "action").glob("*.sh"))
        for line in script.read_text(encoding="utf-8").splitlines()
        if re.search(r'(python|PYTHON)\}?" [-"]', line) and "as_models_user" not in line
    ]
    assert len(started) >= 9
    assert [line for line in started if '" -I ' not in line] == []


def test_every_script_belongs_to_a_step() -> None:
    used = "".join(everything_of(script_of(step)) for step in SCRIPTS.values())
    started = {"keeper.py"}  # by its name alone, from models.py
    named = {path.name for path in ROOT.glob("action/*.*")}
    assert {name for name in named if name not in used} - {
        script_of(step).name for step in SCRIPTS.values()
    } <= started


def test_no_expression_gets_into_a_script() -> None:
    assert [step["name"] for step in SCRIPTS.values() if "${{" in step["run"]] == []


def test_the_token_goes_only_where_it_is_needed_and_never_to_the_models() -> None:
    holders = {name for name, step in SCRIPTS.items() if "GITHUB_TOKEN" in step["env"]}

    with_the_gate = {"Start", "Keep what was accepted", "Find the baseline", "Report", "Link the page"}
    assert holders == with_the_gate | {"Open", "Conclude", "Add to the history"}
    running = {name for name, step in SCRIPTS.items() if "as-models-user.sh" in script_of(step).read_text()}
    assert running == {"Install the requirements", "Collect", "Measure"}


def test_the_check_is_concluded_however_the_steps_ended() -> None:
    (report,) = (step for step in STEPS if step["name"] == "Report")

    assert report["if"] == "always() && contains(steps.start.outputs.work, 'report')"
    assert report["env"]["JOB_STATUS"] == "${{ job.status }}"


def test_steps_ask_for_work_that_there_is() -> None:
    asked = {word for step in STEPS for word in re.findall(r"outputs\.work, '([\w-]+)'", step.get("if", ""))}

    assert asked == set(get_args(Work))


def test_every_output_comes_from_a_step_that_gives_it() -> None:
    folder = ROOT / "src" / "coreml_gate" / "github"
    files = [*folder.rglob("*.py"), ROOT / "action" / "check.py"]
    source = "".join(path.read_text(encoding="utf-8") for path in files)
    ids = {step["id"] for step in STEPS if "id" in step}
    for name, described in ACTION["outputs"].items():
        given = re.findall(r"steps\.(\w+)\.outputs\.([\w-]+)", described["value"])
        assert given, name
        assert {step for step, _ in given} <= ids
        foreign = {step["id"] for step in STEPS if "uses" in step and "id" in step}
        ours = [output for step, output in given if step not in foreign]
        assert all(f'"{output}"' in source for output in ours), name


@pytest.mark.parametrize("path", [ROOT / "action.yml", *WORKFLOWS], ids=lambda path: path.name)
def test_foreign_actions_are_pinned_by_commit(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for used in uses(yaml.safe_load(text)):
        if used.startswith(("coreml-gate/coreml-gate", "./")):
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
    assert "concurrency" in workflow or list(workflow[True]) == ["workflow_call"]
    for job in workflow["jobs"].values():
        assert "uses" in job or job["timeout-minutes"] <= 60
        assert job["permissions"]
    text = path.read_text(encoding="utf-8")
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_the_half_that_can_write_checks_nothing_out() -> None:
    assert list(uses(read("examples/workflows/fork-report.yml"))) == ["coreml-gate/coreml-gate@v1"]
    jobs = read("examples/workflows/fork-measure.yml")["jobs"].values()
    assert {access for job in jobs for access in job["permissions"].values()} == {"read"}


def test_the_job_that_runs_the_models_can_write_nothing_and_those_that_write_run_nothing() -> None:
    for jobs in (
        read("examples/workflows/three-jobs.yml")["jobs"],
        read(".github/workflows/gate.yml")["jobs"],
    ):
        assert {*jobs["measure"]["permissions"].values()} == {"read"}
        assert list(jobs["open"]["permissions"]) == ["checks"]
        for name in ("open", "report"):
            assert list(uses(jobs[name])) == ["coreml-gate/coreml-gate@v1"]
            assert "requirements" not in jobs[name]["steps"][0]["with"]


def test_the_reusable_workflow_is_the_one_to_copy() -> None:
    def bare(jobs: Any) -> Any:
        for job in jobs.values():
            for step in job["steps"]:
                given = step["with"].items()
                step["with"] = {key: value for key, value in given if key in ("mode", "check")}
        return jobs

    copied, called = (
        yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))["jobs"]
        for path in ("examples/workflows/three-jobs.yml", ".github/workflows/gate.yml")
    )
    assert bare(copied) == bare(called)


def test_the_marketplace_takes_the_description() -> None:
    assert len(ACTION["description"]) < 125


def test_the_action_of_a_checkout_gates_the_example() -> None:
    config = load_config(ROOT, Path(".github/self.toml"))
    job = read(".github/workflows/self.yml")["jobs"]["gate"]

    assert "./" in uses(job)
    assert {model.source.partition(":")[0] for model in config.model} <= {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "examples/phone-models/models").glob("*.py")
    }
    assert job["steps"][1]["with"]["config"] == ".github/self.toml"
    assert set(job["steps"][1]["with"]) <= set(ACTION["inputs"])


def test_every_input_that_a_workflow_gives_is_one_of_the_action() -> None:
    for path in WORKFLOWS:
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        steps = [step for job in jobs for step in job.get("steps", ())]
        for step in steps:
            if str(step.get("uses", "")).startswith(("./", "coreml-gate/coreml-gate@")):
                assert set(step.get("with", {})) <= set(ACTION["inputs"]), path.name
