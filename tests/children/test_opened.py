"""What a process reads of a repository, watched in a process of its own: a hook cannot be taken off again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from coreml_gate.children.opened import MOST_PATHS, _shortened

pytestmark = pytest.mark.attack("what changed")

WATCH = """
import json, os, sys
from pathlib import Path
from coreml_gate.children.opened import OpenedFiles
root = Path(sys.argv[1])
opened = OpenedFiles.watch(root, [root / "out", root, root.parent], os.environ)
sys.path.insert(0, str(root))
os.chdir(root)
exec(Path(sys.argv[2]).read_text())
print(json.dumps(opened.paths()))
"""
FILES = (
    "data/a.bin",
    "data/b.txt",
    "lib/hidden.py",
    "out/own.json",
    "plain.py",
    ".git/HEAD",
    "x/site-packages/y.py",
)


def opened(tmp_path: Path, code: str, ci: str = "") -> set[str]:
    root = tmp_path / "repository"
    for file in FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("")
    (tmp_path / "outside.txt").write_text("")
    (tmp_path / "code.py").write_text(code)
    answer = subprocess.run(
        [sys.executable, "-c", WATCH, str(root), str(tmp_path / "code.py")],
        env={**os.environ, "CI": ci},
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(answer.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("open('data/a.bin').close()", {"data/a.bin"}),
        ("Path('data/b.txt').read_text()", {"data/b.txt"}),
        ("os.close(os.open(b'data/a.bin', os.O_RDONLY))", {"data/a.bin"}),
        ("os.chdir('data'); open('a.bin').close()", {"data/a.bin"}),
        ("sys.path.insert(0, 'lib'); import hidden", {"lib/hidden.py"}),
        ("sys.path.insert(0, 'lib'); __import__('hid' + 'den')", {"lib/hidden.py"}),
        ("import runpy; runpy.run_path('lib/hidden.py')", {"lib/hidden.py"}),
        ("Path('link').symlink_to('data/a.bin'); open('link').close()", {"link", "data/a.bin"}),
        ("try: open('missing.bin')\nexcept OSError: pass", {"missing.bin"}),
        ("list(Path('data').iterdir())", {"data"}),
        ("os.listdir('data')", {"data"}),
        ("import glob; glob.glob('data/*')", {"data"}),
        ("import sqlite3; sqlite3.connect('file:data/b.txt?mode=ro', uri=True)", {"data/b.txt"}),
        ("import sqlite3; sqlite3.connect('data/b.txt')", {"data/b.txt"}),
        ("open('made.txt', 'w').close(); open('made.txt').close()", set()),
        ("open('out/own.json').close(); open('.git/HEAD').close()", set()),
        ("open('../outside.txt').close()", set()),
        ("import importlib.metadata as m; list(m.distributions()); open(0)", set()),
        ("sys.path.insert(0, 'x/site-packages'); import y", set()),
    ],
)
def test_what_python_opens_and_lists(tmp_path: Path, code: str, expected: set[str]) -> None:
    assert opened(tmp_path, code) == expected


def test_a_file_of_another_project_in_the_same_repository_leads_out_of_the_root(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    root = tmp_path / "repository"
    (root / ".git").mkdir(parents=True)
    assert opened(tmp_path, "open('../outside.txt').close()") == set()
    (root / ".git" / "HEAD").unlink()
    (root / ".git").rmdir()
    code = "import shutil; shutil.rmtree('.git'); open('../outside.txt').close()"
    assert "../outside.txt" in opened(tmp_path, code)


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess; subprocess.run(['cat', 'data/a.bin'])",
        "import subprocess; subprocess.run([sys.executable, '-c', \"open('data/a.bin')\"])",
        "import ctypes; ctypes.CDLL(None).fopen(b'data/a.bin', b'r')",
        "pid = os.fork()\nif not pid:\n    open('data/a.bin'); os._exit(0)\nos.waitpid(pid, 0)",
    ],
)
def test_where_ci_is_set_compiled_readers_and_other_processes_are_seen(tmp_path: Path, code: str) -> None:
    assert opened(tmp_path, code, ci="true") == {"data/a.bin"}


def test_what_another_process_makes_is_none_of_its_sources(tmp_path: Path) -> None:
    code = (
        "import subprocess; subprocess.run('echo 1 >made; cat made', shell=True, stdout=subprocess.DEVNULL)"
    )
    assert opened(tmp_path, code, ci="true") == set()


def test_the_model_never_feels_the_watch(tmp_path: Path) -> None:
    without_a_folder = "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
    without_a_file = "try: open('a')\nexcept OSError: pass\ntry: open('\\0')\nexcept ValueError: pass\n"
    assert opened(tmp_path, without_a_folder + without_a_file + "os.chdir('/')") == set()


def test_of_too_many_files_their_folder_is_kept() -> None:
    many = {f"data/images/{number}.png" for number in range(MOST_PATHS)} | {"net.py", "data/labels.txt"}
    assert _shortened(many) == ("data/images", "data/labels.txt", "net.py")


def test_a_process_that_measures_again_and_again_keeps_no_watch(tmp_path: Path) -> None:
    dropped = "import weakref; kept = weakref.ref(opened); del opened; opened = OpenedFiles(root, ())"
    code = f"{dropped}; open('data/a.bin').close(); assert kept() is None"
    assert opened(tmp_path, code) == set()
