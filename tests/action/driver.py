"""Runs the action for real: act plays workflows on this machine, the tests' server plays GitHub.

What is not GitHub's own here, and therefore not tested: the runner (act), and `actions/checkout`, `setup-
python`, `cache`, `upload-artifact` and `download-artifact` (stand_in_actions/, which keep what they get in
a folder; where no commit is named, act copies the work tree in the place of a checkout). The rest is what
runs on GitHub: action.yml, its scripts, and the installation, which takes torch from pip's own index.
ACT_CACHE names a folder in which installed environments outlive the tests.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from tests.github_api.hub import FULL_NAME, REPOSITORY_ID, WORKFLOW, Hub
from tests.github_api.server import TOKEN, RunningServer


def shared_python() -> str:
    """A Python that another user of the machine can run, as on a hosted runner; else that of the tests."""
    real = Path(sys.executable).resolve()
    if all(folder.stat().st_mode & 0o001 for folder in real.parents):
        return str(real)
    found = (Path(f"/usr/bin/python3.{minor}") for minor in (12, 13, 11))
    return next((str(path) for path in found if path.exists()), sys.executable)


ROOT: Final = Path(__file__).parents[2]
STAND_INS: Final = Path(__file__).parent / "stand_in_actions"
ACT: Final = str(Path(sys.executable).with_name("act"))
PYTHON: Final = shared_python()
"""The interpreter of the plays."""
ACTION: Final = "coreml-gate/coreml-gate@v1"
PARTS: Final = ("action.yml", "action", "src", "pyproject.toml", "constraints.txt", "locks")
HOME: Final = {"id": REPOSITORY_ID, "full_name": FULL_NAME, "default_branch": "main"}
REPLACED: Final = (
    "replaced: the runner by act; checkout, setup-python, cache, upload- and download-artifact by stand-ins; "
    "Core ML by the MIL runtime; PyTorch's index by pip's own"
)
_ASKS: Final = re.compile(rf"(uses: {ACTION}\n)(?: +id: gate\n)?( +with:\n)")
_USES: Final = re.compile(r"uses: (actions/([\w-]+)[\w/-]*@[0-9a-f]{40})")


@dataclass(frozen=True)
class Played:
    """How a workflow went."""

    exit_code: int
    log: str

    def step(self, name: str) -> str:
        """``Success``, ``Failure``, or nothing for a step that did not run."""
        found = re.search(rf"(Success|Failure) - Main {re.escape(name)}\b", self.log)
        return found[1] if found else ""


@dataclass
class Machine:
    """A scratch repository, the action at a version, and a folder for what outlives a run."""

    folder: Path
    server: RunningServer
    environment: dict[str, str] = field(default_factory=dict)
    around: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    """The variables that the runner itself has."""
    runs: int = 0

    def __post_init__(self) -> None:
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            (self.folder / "gate").mkdir(parents=True, exist_ok=True)
            copy(ROOT / part, self.folder / "gate" / part)
        self.kept.mkdir()
        if "ACT_CACHE" in os.environ:
            (self.kept / "cache").symlink_to(os.environ["ACT_CACHE"])

    def remove(self) -> None:
        """Remove the user that the action made, and its environments."""
        subprocess.run(["userdel", self.models_user], check=False, capture_output=True)
        shutil.rmtree(self.environments, ignore_errors=True)

    @property
    def models_user(self) -> str:
        """The user that the action makes for the models' code; another machine has one of its own."""
        return f"cmlgate-{zlib.crc32(str(self.environments).encode()):08x}"

    @property
    def environments(self) -> Path:
        """Where the action puts its environments: no other user may enter pytest's folders."""
        return Path(tempfile.gettempdir()) / f"coreml-gate-{self.server.url.rpartition(':')[2]}"

    @property
    def hub(self) -> Hub:
        """What GitHub knows."""
        return self.server.github.hub

    @property
    def kept(self) -> Path:
        """Where the stand-ins keep things."""
        return self.folder / "kept"

    def play(
        self,
        repository: Path,
        event: str,
        payload: dict[str, Any],
        workflow: str = WORKFLOW,
        cancel_in: str = "",
    ) -> Played:
        """Play one event as a run of its own; ``cancel_in`` is a step that is cancelled."""
        self.runs += 1
        shutil.rmtree(self.kept / "artifacts", ignore_errors=True)
        file = self.folder / "event.json"
        file.write_text(json.dumps(payload), encoding="utf-8")
        command = [
            ACT,
            event,
            f"--eventpath={file}",
            f"--workflows={workflow}",
            *_platforms(),
            *self._actions(repository / workflow),
            "--pull=false",
            "--no-cache-server",
            "--secret=GITHUB_TOKEN",  # of the environment: a command line can be read by everybody
            *(f"--env={name}={value}" for name, value in self._variables(repository, workflow).items()),
        ]
        self.hub.add_run(_head_of(payload), event, path=workflow, number=1)
        self.hub.refresh = self._publish_of_this_run
        log = self.folder / f"{self.runs}-{event}.log"
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                command,
                cwd=repository,
                env=self.around | {"GITHUB_TOKEN": TOKEN},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            if cancel_in:
                _cancel(process, log, cancel_in)
            exit_code = process.wait()
        played = Played(exit_code, log.read_text(encoding="utf-8", errors="replace"))
        self.hub.refresh = lambda: None
        for artifact in [id_ for id_, each in self.hub.artifacts.items() if each["workflow_run"]["id"] == 1]:
            del self.hub.artifacts[artifact]
        return played

    def _publish_of_this_run(self) -> None:
        """Artifacts are there as soon as they are uploaded, while the run goes on."""
        known = {each["name"] for each in self.hub.artifacts.values() if each["workflow_run"]["id"] == 1}
        for file in sorted((self.kept / "artifacts").glob("*.zip")):
            if file.stem not in known:
                self.hub.add_artifact(1, file.stem, file.read_bytes())

    def outputs(self) -> dict[str, str]:
        """What :func:`with_outputs` kept."""
        outputs: dict[str, str] = json.loads((self.kept / "outputs.json").read_text(encoding="utf-8"))
        return outputs

    def publish_artifacts(self, head_sha: str, event: str) -> int:
        """Make artifacts of a run of what the last run uploaded; gives the run."""
        run = self.hub.add_run(head_sha, event)
        for file in sorted((self.kept / "artifacts").glob("*.zip")):
            self.hub.add_artifact(run, file.stem, file.read_bytes())
        return run

    def _variables(self, repository: Path, workflow: str) -> dict[str, str]:
        return {
            "GITHUB_API_URL": self.server.url,
            "GITHUB_WORKFLOW_REF": f"{FULL_NAME}/{workflow}@refs/heads/main",
            "OMP_NUM_THREADS": "1",
            "STAND_IN_FOLDER": str(self.kept),
            "STAND_IN_PYTHON": PYTHON,
            "COREML_GATE_FOLDER": str(self.environments),
            "STAND_IN_REPOSITORY": str(repository),
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
            **self.environment,
        }

    def _actions(self, workflow: Path) -> list[str]:
        """Where act finds each action, by the very commit that the files name."""
        text = workflow.read_text(encoding="utf-8") + (ROOT / "action.yml").read_text(encoding="utf-8")
        found = {uses: STAND_INS / name for uses, name in _USES.findall(text)}
        pinned = {re.sub(r"(actions/[\w-]+)[\w/-]*@", r"\1@", uses): path for uses, path in found.items()}
        return [
            f"--local-repository={uses}={path}"
            for uses, path in {ACTION: self.folder / "gate", **pinned}.items()
        ]


def _head_of(payload: dict[str, Any]) -> str:
    pull = payload.get("pull_request") or {"head": {"sha": payload.get("after")}}
    return str(payload.get("workflow_run", {}).get("head_sha") or pull["head"]["sha"])


def _cancel(act: "subprocess.Popen[bytes]", log: Path, step: str) -> None:
    """Signals to the process of a step as the runner does, once the models' code runs in it."""
    while act.poll() is None and f"Main {step}" not in log.read_text(encoding="utf-8", errors="replace"):
        time.sleep(0.5)
    while act.poll() is None:
        below = psutil.Process(act.pid).children(recursive=True)
        commands = {child: _command_of(child) for child in below}
        if any(
            "coreml_gate.worker" in command or "from coreml_gate" in command for command in commands.values()
        ):
            for child, command in commands.items():
                if "/action/models.py" in command:
                    child.send_signal(signal.SIGINT)
            return
        time.sleep(0.5)


def _command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def can_have_another_user(folder: Path) -> bool:
    """Whether this machine lets the action make a user, and that user run the plays' Python."""
    environment = os.environ | {
        "RUNNER_TEMP": str(folder),
        "GITHUB_WORKSPACE": str(folder),
        "COREML_GATE_FOLDER": str(Path(tempfile.gettempdir()) / f"coreml-gate-probe-{os.getpid()}"),
    }
    command = [PYTHON, "-I", str(ROOT / "action" / "isolation.py"), str(ROOT), "measures"]
    told = dict(
        line.split("=", 1)
        for line in subprocess.check_output(command, env=environment, text=True).splitlines()
    )
    shutil.rmtree(environment["COREML_GATE_FOLDER"], ignore_errors=True)
    if told["user"]:
        subprocess.run(["userdel", told["user"]], check=False, capture_output=True)
    return bool(told["user"])


def _platforms() -> list[str]:
    return [f"--platform={label}=-self-hosted" for label in ("ubuntu-latest", "macos-15", "macos-26")]


def example(name: str, **inputs: str) -> str:
    """A workflow of the examples with an id at the action's steps, and with more inputs where there are some.

    torch comes from pip's own index: no other can be reached from tests.
    """
    text = (ROOT / "examples" / "workflows" / name).read_text(encoding="utf-8")
    given = "".join(f'          {key}: "{value}"\n' for key, value in {"torch-index": "", **inputs}.items())
    return _ASKS.sub(rf"\1        id: gate\n\2{given}", text)


def with_outputs(workflow: str) -> str:
    """A workflow whose last job's last step keeps the action's outputs for the test."""
    return workflow + _LAST_STEP


_LAST_STEP: Final = """
      - if: always()
        run: echo "$OUTPUTS" >"$STAND_IN_FOLDER/outputs.json"
        env:
          OUTPUTS: ${{ toJSON(steps.gate.outputs) }}
"""
