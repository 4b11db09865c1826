"""A pull request that attacks through every text it controls: Record, configuration, description."""

import json
from pathlib import Path

import pytest

from coreml_gate.record import Problem, SkippedModel
from tests.builders import comparison, model_record, record
from tests.github_api.hub import Hub
from tests.github_side.stored import HEAD, add_record, digits
from tests.github_side.workflow import FORK, Job, workflow_run
from tests.report import gfm
from tests.report.verdicts import HOSTILE

pytestmark = pytest.mark.attack("foreign text")

CONFIG = '[[model]]\nname = "digits"\nsource = "models/digits.py:build"\n'
COMMANDS = f"{HOSTILE}\n::error file=/etc/passwd::pwned\n##[add-path]/tmp\n::t0::\n::t1::"


@pytest.fixture
def body(hub: Hub, environment: dict[str, str], tmp_path: Path) -> str:
    bad = digits(parity=(comparison(output=COMMANDS, max_abs_error=2.0),), unsupported=(COMMANDS,))
    broken = model_record(
        name=COMMANDS, problem=Problem(kind="source-error", message=COMMANDS, hint=COMMANDS, exit_code=5)
    )
    left_out = (SkippedModel(name=COMMANDS, reason=COMMANDS),)
    run = add_record(hub, record(bad, broken, commit=HEAD, engine=COMMANDS, skipped=left_out))
    hub.add_pull(
        7,
        HEAD,
        head_repository=FORK["id"],
        body=f"/coreml-gate accept {HOSTILE}\n/coreml-gate accept size of digits until 2026-12-01: "
        + HOSTILE.replace("\n", " "),
    )
    hub.merge_base = "b" * 40
    hub.files["main", "coreml-gate.toml"] = CONFIG.encode()
    evil = CONFIG.replace("build", "evil") + f"watch = [{json.dumps(HOSTILE)}]\n"
    evil += f"evaluate = {json.dumps(HOSTILE + ':f')}\n"
    hub.files[HEAD, "coreml-gate.toml"] = evil.encode()
    job = Job(tmp_path, environment, "workflow_run", workflow_run(run))
    assert job.run("report") == 0
    (tmp_path / "log").write_text(job.log.getvalue())
    ((_, comment),) = hub.comments.values()
    return str(comment["body"])


def test_the_comment_shows_the_attack_and_does_nothing(body: str) -> None:
    assert body.startswith("<!-- coreml-gate: default -->\n")
    assert body.count("<!--") == 2
    assert [tag for tag in gfm.tags(body)[1:-1] if tag not in gfm.OUR_TAGS] == []
    assert gfm.links(body) == ["link_open"]  # the run
    assert all(len(counts) == 1 for counts in gfm.bars(body))
    assert "**policy**" in body
    assert "**override**" in body


@pytest.mark.usefixtures("body")
def test_the_log_holds_no_command_of_theirs(tmp_path: Path) -> None:
    log = (tmp_path / "log").read_text()
    before, _, rest = log.partition("::stop-commands::")
    token, _, rest = rest.partition("\n")
    _, _, after = rest.partition(f"\n::{token}::\n")

    inside = rest.partition(f"\n::{token}::\n")[0].splitlines()
    assert inside
    assert not any(line.lstrip().startswith("::") for line in inside)
    ours = ("::error ", "::warning ", "::notice ")
    lines = (before + after).splitlines()
    assert all(line == "" or line.startswith(ours) or "more annotations" in line for line in lines)
    assert "##[" not in before + after


@pytest.mark.usefixtures("body")
def test_the_check_and_the_outputs_are_whole(hub: Hub, tmp_path: Path) -> None:
    (run,) = hub.check_runs.values()
    assert run["conclusion"] == "failure"
    assert run["output"]["summary"].count("<!--") == 1
    (annotations,) = hub.annotations.values()
    assert {each["path"] for each in annotations} <= {"models/digits.py"}
    names = [
        line.partition("<<")[0]
        for line in (tmp_path / "output").read_text().splitlines()
        if "<<ghadelim" in line
    ]
    assert "mode" not in names
    assert set(names) >= {"verdict", "exit-code", "comment-id"}
