"""A forked child finds what a fresh process finds; where it would not, a fresh process is started."""

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from coreml_gate.children import fork_client, process
from coreml_gate.children.fork_server import MODULE, foreign_modules
from coreml_gate.children.keeper import COMMAND
from coreml_gate.children.process import Ending, ProcessLimits, run_child
from coreml_gate.children.variables import MARK
from coreml_gate.children.warm import WarmChildren, imports_alike_anywhere
from coreml_gate.starting import Start, start_process
from coreml_gate.worker.libraries import LIBRARIES
from tests.children.test_keeper import runs
from tests.children.test_process import LAST_WORD, Files

HERE = Path(__file__).parent
HOW = f"print({MODULE!r} in open('/proc/self/cmdline').read(), flush=True)"
"""Prints whether the process was forked: the system shows the command of what forked it."""
SERVER = "import psutil; print(psutil.Process().parent().parent().pid, flush=True)"
"""Prints the process that forked the child's keeper."""


def child(
    start: Start, folder: Path, module: str, report: Callable[[Path], Files] = Files, **variables: str
) -> Ending:
    """Run a module below a keeper, in a folder of its own; modules are found there and beside this test."""
    folder.mkdir(exist_ok=True)
    path = os.pathsep.join([str(folder.parent), str(HERE)])
    return run_child(
        [*COMMAND, module, "argument"],
        folder=folder,
        log=folder / "log.txt",
        environment={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **variables},
        limits=ProcessLimits(600),
        report=report(folder),
        start=start,
    )


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def warm(said: list[str]) -> Iterator[WarmChildren]:
    with WarmChildren(("json",), said.append) as start:
        yield start


Work = Callable[..., Ending]


@pytest.fixture
def work(tmp_path: Path, warm: WarmChildren) -> Work:
    """Run code in a child of that server."""

    def run(
        code: str, name: str = "work", report: Callable[[Path], Files] = Files, **variables: str
    ) -> Ending:
        (tmp_path / f"{name}.py").write_text(code)
        return child(warm, tmp_path / name, name, report, **variables)

    return run


def test_a_fork_finds_what_a_fresh_process_finds(tmp_path: Path) -> None:
    with WarmChildren(LIBRARIES) as forked:
        starts: Mapping[str, Start] = {"fresh": start_process, "fork": forked, "next": forked}
        for name, start in starts.items():
            folder = tmp_path / name
            folder.mkdir()
            assert child(start, folder, "look", PYTHONHASHSEED="7", TMPDIR=str(folder)).how == "finished"
    fresh, fork, later = (_found(tmp_path / name) for name in starts)

    assert fork == fresh
    assert later["temporary files"] == fresh["temporary files"] == "FOLDER"
    assert fresh["mark"]
    assert fresh["status"]["Threads"] == ["1"]
    drawn = [json.loads((tmp_path / name / "drawn.json").read_text()) for name in starts]
    assert all(len({*values}) == len(starts) for values in zip(*drawn, strict=True))


def _found(folder: Path) -> dict[str, Any]:
    text = (folder / "found.json").read_text().replace(str(folder), "FOLDER")
    found: dict[str, Any] = json.loads(text)
    assert found["environment"].pop(MARK)
    # torch 2.7 makes a folder for generated code while it is imported, under a random name
    found["path"] = [each for each in found["path"] if not re.fullmatch(r"tmp\w{8}", Path(each).name)]
    return found


def test_children_share_nothing_that_ran_in_one_of_them(work: Work) -> None:
    code = f"import json; {HOW}; print(hasattr(json, 'seen'), flush=True); json.seen = True; {LAST_WORD}"
    assert [work(code).last_lines for _ in range(2)] == [("True", "False")] * 2


def test_children_run_side_by_side(work: Work) -> None:
    code = """
import os, pathlib, time
own, other = pathlib.Path.cwd(), pathlib.Path("../{other}")
(own / "here").touch()
while not (other / "here").exists():
    time.sleep(0.01)
print(own.name, flush=True)
os._exit({code})
"""
    with ThreadPoolExecutor() as pool:
        first = pool.submit(work, code.format(other="second", code=3), "first")
        second = pool.submit(work, code.format(other="first", code=4), "second")
    assert first.result() == Ending("crashed", "ended with exit code 3", ("first",))
    assert second.result() == Ending("crashed", "ended with exit code 4", ("second",))


@pytest.mark.parametrize("variables", [{"A_LIBRARY": "reads this"}, {"PYTHONPATH": f"{HERE}:."}])
def test_what_a_library_may_read_while_it_is_imported_needs_a_fresh_process(
    work: Work, variables: dict[str, str], tmp_path: Path, said: list[str]
) -> None:
    code = f"{HOW}; {LAST_WORD}"
    assert work(code).last_lines == ("True",)
    (tmp_path / "work" / "work.py").write_text(code)
    assert work(code, **variables).last_lines == ("False",)
    assert work(code, TMPDIR=str(tmp_path)).last_lines == ("True",)
    assert said == []


def test_another_python_is_started_afresh(tmp_path: Path, warm: WarmChildren) -> None:
    assert not fork_client.can_fork(["/usr/bin/python3", *COMMAND[1:], "work"])
    assert not fork_client.can_fork([sys.executable, "-c", "pass"])
    assert fork_client.can_fork([*COMMAND, "work"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1", "library.py` does not belong to the installation"),
        (
            "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "importing the libraries started 1 thread, which a fork would lose",
        ),
        ("raise OSError('it is broken')", "OSError: it is broken"),
    ],
)
def test_a_process_that_must_not_be_forked_does_not_serve(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "library.py").write_text(text)
    (tmp_path / "work.py").write_text(f"{HOW}; {LAST_WORD}")
    said: list[str] = []
    with WarmChildren(("library",), said.append) as start:
        endings = [child(start, tmp_path / "work", "work") for _ in range(2)]
    assert [ending.last_lines for ending in endings] == [("False",)] * 2
    (line,) = said
    assert reason in line


@dataclass
class _OfTheHostile(Files):
    """Finished only once it has done to its server what it does."""

    server: int = 0

    def read(self) -> None:
        super().read()
        stopped = runs(self.server) and psutil.Process(self.server).status() == psutil.STATUS_STOPPED
        self.finished = self.finished and (stopped or not runs(self.server))


@pytest.mark.attack("the end of the gate")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_child_that_ends_or_stops_its_server_harms_none_after_it(
    work: Work, said: list[str], number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = int(work(f"{SERVER}; {LAST_WORD}").last_lines[0])
    for module, patience in ((fork_client, "_START_S"), (fork_client, "_END_S"), (process, "_GRACE_S")):
        monkeypatch.setattr(module, patience, 1.0)
    code = f"import os, time; {LAST_WORD}; os.kill({server}, {int(number)}); time.sleep(600)"
    assert work(code, "hostile", lambda folder: _OfTheHostile(folder, server=server)).how == "finished"
    (tmp_path / "work" / "end").unlink()
    assert work(f"{HOW}; {LAST_WORD}").last_lines == ("False",)
    assert len(said) == 1


def test_what_a_child_forked_is_found_by_its_mark_without_its_keeper(work: Work, tmp_path: Path) -> None:
    code = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    open("daemon", "w").write(str(os.getpid()))
    time.sleep(600)
while not os.path.exists("daemon") or not open("daemon").read():
    time.sleep(0.01)
os.kill(os.getppid(), signal.SIGKILL)
time.sleep(600)
"""
    assert work(code).how == "out-of-memory"
    assert not runs(int((tmp_path / "work" / "daemon").read_text()))


def test_the_server_ends_with_what_uses_it(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(f"{SERVER}; {LAST_WORD}")
    with WarmChildren(("json",)) as start:
        server = int(child(start, tmp_path / "work", "work").last_lines[0])
        assert MODULE in psutil.Process(server).cmdline()
    assert not runs(server)


def test_foreign_is_what_lies_outside_of_the_installation() -> None:
    files = ["/usr/lib/python3/json.py", "/repo/torch.py", "/usr/lib/python3-other/x.py"]
    assert foreign_modules(files, [Path("/usr/lib/python3")]) == files[1:]


@pytest.mark.parametrize(
    ("path", "alike"), [("", True), ("/a:/b", True), ("/a:b", False), ("/a:", False), (".", False)]
)
def test_a_relative_folder_of_modules_depends_on_where_python_starts(path: str, alike: bool) -> None:
    assert imports_alike_anywhere({"PYTHONPATH": path}) == alike
