"""The models' code as a user of its own: what it can reach, what is left of it, what is taken from it."""

import fcntl
import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from action import isolation
from tests.action.driver import PYTHON, ROOT

ACTION = ROOT / "action"
TOKEN = "ghs_0123456789abcdefghij"
ASLEEP = "print('ready', flush=True)\nimport time; time.sleep(600)"


@dataclass(frozen=True)
class Places:
    """Where the action put everything."""

    base: Path
    folder: Path
    user: str
    gate: Path


def prepared(workspace: Path, base: Path, work: str = "measures", **variables: str) -> Places:
    environment = os.environ | {
        "RUNNER_TEMP": str(base / "runner"),
        "GITHUB_WORKSPACE": str(workspace),
        "COREML_GATE_FOLDER": str(base),
        **variables,
    }
    command = [PYTHON, "-I", str(ACTION / "isolation.py"), str(ROOT), work]
    told = subprocess.check_output(command, env=environment, text=True)
    found = dict(line.split("=", 1) for line in told.splitlines())
    return Places(Path(found["base"]), Path(found["folder"]), found["user"], Path(found["gate"]))


def models(places: Places, *command: str, **variables: str) -> list[str]:
    script = str(places.gate / "action" / "models.py")
    options = ["--folder", str(places.folder), "--user", places.user, "--take"]
    return [PYTHON, "-I", script, *options, "--", *command]


def run(places: Places, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a model's Python code does."""
    environment = os.environ | {"GITHUB_TOKEN": TOKEN, **variables}
    command = models(places, PYTHON, "-I", "-c", code)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    for command in (
        ["git", "init", "--quiet"],
        ["git", "config", "http.https://github.com/.extraheader", f"AUTHORIZATION: basic {TOKEN}"],
        ["git", "config", "remote.origin.url", f"https://x-access-token:{TOKEN}@github.com/acme/models"],
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-qm", "first"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    (folder / "gha-creds-0123.json").write_text(TOKEN)
    (folder / "net.py").write_text("x = 1\n")
    return folder


@pytest.fixture(scope="module")
def places(workspace: Path) -> Iterator[Places]:
    base = Path(tempfile.mkdtemp(prefix="coreml-gate-isolation-"))
    made = prepared(workspace, base)
    if not made.user:
        pytest.skip("no second user can be made here, or none can run this Python")
    yield made
    subprocess.run(["userdel", made.user], check=False, capture_output=True)
    subprocess.run(["rm", "-rf", str(base)], check=True)


def started(places: Places, code: str) -> subprocess.Popen[str]:
    """A model's Python code that has printed ``ready``."""
    process = subprocess.Popen(models(places, PYTHON, "-I", "-c", code), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def locked(places: Places) -> int:
    """The lock that a keeper holds until it has ended the processes of its user."""
    lock = os.open(places.base / f"{places.user}.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def processes_of(user: str) -> list[int]:
    number = pwd.getpwnam(user).pw_uid
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found += [int(folder.name)] if folder.stat().st_uid == number else []
        except OSError:
            continue
    return found


def test_what_other_days_left_goes_although_the_models_user_owns_it(tmp_path: Path) -> None:
    """A machine that lives on would keep a copy of the workspace for each of its runs."""
    seen = tmp_path / "as-root"
    root = ["sh", "-c", f'echo "$@" >>{seen}; exec "$@"', "root"]
    old, today = tmp_path / "base" / "use.old", tmp_path / "base" / "use.today"
    for folder in (old, today):
        (folder / "theirs").mkdir(parents=True)
    long_ago = time.time() - 2 * 86_400
    os.utime(old, (long_ago, long_ago))
    made = isolation.new_folder(tmp_path / "base", root)

    assert sorted((tmp_path / "base").iterdir()) == sorted([made, today])
    assert seen.read_text() == f"rm -rf {old}\n"


def test_it_is_another_user_in_a_copy_of_the_workspace(places: Places) -> None:
    done = run(places, "import os; print(os.getuid(), os.getcwd(), os.path.expanduser('~'), os.listdir())")
    uid, folder, home, *listed = done.stdout.split(maxsplit=3)

    assert int(uid) == pwd.getpwnam(places.user).pw_uid != os.getuid()
    assert folder == str(places.folder / "theirs" / "workspace")
    assert home == str(places.folder / "theirs" / "home")
    assert "net.py" in listed[0]


def test_no_credential_is_in_its_environment_or_its_workspace(places: Places) -> None:
    code = (
        "import os, pathlib\n"
        "print([name for name, value in os.environ.items() if 'ghs_' in value])\n"
        "files = [path for path in pathlib.Path('.').rglob('*') if path.is_file()]\n"
        "print([str(path) for path in files if b'ghs_' in path.read_bytes()])\n"
        "print(pathlib.Path('.git/config').read_text())"
    )
    done = run(places, code, CLONE_URL=f"https://x:{TOKEN}@github.com", ACTIONS_RUNTIME_TOKEN="eyJ0")
    first, second, *config = done.stdout.splitlines()

    assert (first, second) == ("[]", "[]"), done.stdout
    assert "url = https://github.com/acme/models" in "\n".join(config)


def test_other_processes_keep_their_environment_to_themselves_and_cannot_be_signalled(places: Places) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], env={"GITHUB_TOKEN": TOKEN}
    )
    code = (
        "import os, pathlib\n"
        "for path in pathlib.Path('/proc').glob('[0-9]*/environ'):\n"
        "    try:\n        print('ghs_' in path.read_text(errors='replace'))\n"
        "    except OSError:\n        pass\n"
        f"try:\n    os.kill({holder.pid}, 15)\n    print('signalled')\n"
        "except PermissionError:\n    print('refused')"
    )
    try:
        done = run(places, code)
        assert "True" not in done.stdout
        assert done.stdout.splitlines()[-1] == "refused"
        assert holder.poll() is None
    finally:
        holder.kill()
        holder.wait()


def test_it_writes_neither_the_action_nor_the_environment_nor_the_workspaces_git(
    places: Places, workspace: Path
) -> None:
    venv = places.base / "venv"
    venv.mkdir(exist_ok=True)
    files = [
        venv / "evil.pth",
        places.gate / "action" / "models.py",
        workspace / ".git" / "config",
        places.folder / "x",
    ]
    code = (
        f"for path in {[str(file) for file in files]!r}:\n"
        "    try:\n        open(path, 'a').write('x'); print('wrote', path)\n"
        "    except OSError:\n        pass\n"
    )

    assert run(places, code).stdout == ""


def test_nothing_of_it_outlives_the_step(places: Places) -> None:
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n    os.setsid()\n"
        "    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)\n"
        "time.sleep(0.5)\nprint('done')"
    )
    started = time.monotonic()
    done = run(places, code)

    assert done.stdout == "done\n"
    assert processes_of(places.user) == []
    assert time.monotonic() - started < 300


def test_it_cannot_become_root(places: Places) -> None:
    status = run(places, "print(open('/proc/self/status').read())").stdout

    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status


def test_commands_for_the_runner_are_shown_and_do_nothing(places: Places) -> None:
    code = (
        "import sys\n"
        "sys.stdout.write('::add-mask::x\\n  ::error::y\\ra\\r::warning::z\\n')\n"
        "sys.stdout.write('##[add-path]/evil\\n::group::digits\\n')"
    )
    shown = run(places, code).stdout

    assert shown == ": :add-mask::x\n: :error::y\na\n: :warning::z\n# #[add-path]/evil\n::group::digits\n"


def test_only_regular_files_of_known_names_are_taken(places: Places) -> None:
    code = (
        "import os, pathlib\n"
        "out = pathlib.Path('../out')\n"
        "(out / 'models/a/package.mlpackage/Data').mkdir(parents=True)\n"
        "(out / 'models/a/package.mlpackage/Manifest.json').write_text('{}')\n"
        "os.symlink('/etc/passwd', out / 'models/a/package.mlpackage/Data/weights.bin')\n"
        "os.symlink('/etc', out / 'base')\n"
        "os.mkfifo(out / 'record.json')\n"
        "(out / 'report.json').write_text('{}')\n"
        "(out / 'evil.sh').write_text('')\n"
    )
    assert run(places, code).returncode == 0
    taken = sorted(
        str(path.relative_to(places.folder / "run"))
        for path in (places.folder / "run").rglob("*")
        if path.is_file()
    )
    assert taken == ["models/a/package.mlpackage/Manifest.json", "report.json"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_step_reaches_the_command(places: Places, number: signal.Signals) -> None:
    code = (
        "import os, signal, time\n"
        "def told(number, frame):\n    os.write(1, b'got %d' % number)\n    os._exit(128 + number)\n"
        "signal.signal(signal.SIGINT, told); signal.signal(signal.SIGTERM, told)\n"
        "os.write(1, b'ready\\n')\ntime.sleep(600)"
    )
    process = started(places, code)
    process.send_signal(number)

    assert process.communicate(timeout=300)[0] == f"got {number.value}\n"
    assert process.returncode == 128 + number


def test_when_the_step_is_killed_so_is_the_command(places: Places) -> None:
    process = started(places, ASLEEP)
    assert processes_of(places.user) != []
    process.kill()
    process.communicate()
    os.close(locked(places))

    assert processes_of(places.user) == []


def test_a_command_waits_until_the_keeper_before_has_ended_its_own(places: Places) -> None:
    lock = locked(places)
    command = models(places, PYTHON, "-I", "-c", "print('ran')")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=2)
    assert processes_of(places.user) == []
    os.close(lock)

    assert process.communicate(timeout=300)[0] == "ran\n"


def test_what_follows_a_killed_step_is_not_ended_with_it(places: Places) -> None:
    for _ in range(5):
        process = started(places, ASLEEP)
        process.kill()
        process.communicate()

        assert run(places, "print('ran')").stdout == "ran\n"


def test_results_belong_to_the_job_afterwards_however_they_were_closed(places: Places) -> None:
    code = (
        "import os, pathlib\n"
        "file = pathlib.Path('../out/report.json')\n"
        "file.unlink(missing_ok=True); file.write_text('[]'); file.chmod(0o600)\n"
        "print(os.stat('../out').st_uid == os.getuid())"
    )
    assert run(places, code).stdout == "True\n"
    assert (places.folder / "theirs" / "out" / "report.json").stat().st_uid == os.getuid()
    assert (places.folder / "run" / "report.json").read_text() == "[]"


def test_an_environment_is_theirs_while_it_is_installed_and_no_longer(places: Places) -> None:
    made = places.base / "requirements"
    made.mkdir(exist_ok=True)
    code = f"open({str(made / 'x.pth')!r}, 'w').write('import os')"
    options = ["--folder", str(places.folder), "--user", places.user, "--own", str(made)]
    command = [
        PYTHON,
        "-I",
        str(places.gate / "action" / "models.py"),
        *options,
        "--",
        PYTHON,
        "-I",
        "-c",
        code,
    ]
    subprocess.run(command, check=True)

    assert (made / "x.pth").stat().st_uid == made.stat().st_uid == os.getuid()
    assert run(places, code).returncode != 0


def test_without_another_user_the_command_runs_all_the_same(places: Places, workspace: Path) -> None:
    alone = Places(places.base, places.folder, "", places.gate)
    command = models(
        alone, PYTHON, "-I", "-c", "import os; print(os.getcwd(), os.environ.get('GITHUB_TOKEN'))"
    )
    done = subprocess.run(
        command,
        cwd=workspace,
        env=os.environ | {"GITHUB_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split()[-1] == "None"


def test_a_job_that_only_reports_makes_no_user(workspace: Path, tmp_path: Path) -> None:
    made = prepared(workspace, tmp_path, "reports")

    assert made.user == ""
    assert made.base == tmp_path / "runner" / "coreml-gate"
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o755
    assert sorted(path.name for path in made.gate.iterdir()) == [
        "action",
        "constraints.txt",
        "pyproject.toml",
        "src",
    ]
