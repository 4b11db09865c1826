"""Disks that are full or read-only, and outputs that are closed, with the real command in a real process."""

import errno
import fcntl
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreml_gate.errors import OutputError
from coreml_gate.record import write_record
from coreml_gate.streams import open_screens
from coreml_gate.writing import make_output_folder, output_folder, write_bytes, write_text
from tests.builders import model_record, record

pytestmark = pytest.mark.attack("disks and outputs")

CONFIG = '[[model]]\nname = "digits"\nsource = "models/digits.py:build"\n'
ROOM = 48 * 1024
"""Bytes of the small disk: the report's page alone takes more."""


def gate(folder: Path, *arguments: str, shell: str = '"$@"') -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; ``shell`` says with which outputs and limits."""
    code = "import sys; from coreml_gate.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        ["sh", "-c", shell, "sh", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "coreml-gate.toml").write_text(CONFIG)
    write_record(record(model_record(name="digits")), tmp_path / "record.json")
    return tmp_path


@pytest.fixture
def small_disk(root: Path) -> Iterator[Path]:
    disk = root / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting takes rights that this user does not have")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def is_named(answer: subprocess.CompletedProcess[str], *words: str) -> bool:
    assert answer.returncode == OutputError.exit_code, answer.stderr
    assert "Traceback" not in answer.stderr
    assert "defect" not in answer.stderr
    return all(word in answer.stderr for word in (*words, "cannot be written", "Hint: "))


def test_a_full_disk_is_named_and_leaves_no_half_of_a_file(root: Path, small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(ROOM - 16 * 1024))
    answer = gate(root, "judge", "record.json", "--output", str(small_disk / "out"))
    assert is_named(answer, "No space left on device", "free some space there")
    left = sorted(path.name for path in (small_disk / "out").iterdir())
    assert all(not name.endswith(".part") for name in left)
    for name in left:
        assert (small_disk / "out" / name).read_bytes()[-2:] in {
            b"}\n",
            b"*\n",
            b">\n",
        } or name == "comment.md"


def test_a_full_disk_keeps_what_an_earlier_run_left(small_disk: Path) -> None:
    file = small_disk / "report.json"
    write_text(file, "before")
    with pytest.raises(OutputError, match="No space left"):
        write_bytes(file, bytes(ROOM * 2))
    assert file.read_text() == "before"
    assert [path.name for path in small_disk.iterdir()] == ["report.json"]


def test_a_read_only_disk_is_refused_before_anything_runs(root: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for command in ("run", "collect"):
        answer = gate(root, command, "--output", str(small_disk / "out"))
        assert is_named(answer, "Read-only file system")
        assert "digits" not in answer.stdout


def test_a_limit_on_the_size_of_files_is_named(root: Path) -> None:
    # Python before 3.12.8 keeps the compiled modules that such a limit cut short (CPython issue 126606).
    answer = gate(root, "judge", "record.json", shell='ulimit -f 4; PYTHONDONTWRITEBYTECODE=1 "$@"')
    assert is_named(answer, "File too large", "ulimit -f")
    assert not list((root / ".coreml-gate").glob(".*.part"))


@pytest.mark.parametrize("command", [("run",), ("collect",), ("judge", "record.json")])
def test_an_output_that_is_a_file_is_named(root: Path, command: tuple[str, ...]) -> None:
    (root / "out").write_text("mine")
    assert is_named(gate(root, *command, "--output", "out"), "`", "out`")
    assert is_named(gate(root, *command, "--output", "out/deeper"), "Not a directory")
    assert (root / "out").read_text() == "mine"


def test_a_report_that_is_a_folder_is_named(root: Path) -> None:
    (root / ".coreml-gate" / "report.json").mkdir(parents=True)
    assert is_named(gate(root, "judge", "record.json"), "report.json", "Is a directory")


INTO_A_CLOSED_PIPE = """
{ until [ -e closed ]; do sleep 0.05; done; "$@"; echo $? >code; } | { exec <&-; touch closed; }
exit "$(cat code)"
"""
PRINTING = [
    ("plan",),
    ("plan", "--format", "json"),
    ("judge", "record.json"),
    ("rules",),
    ("devices",),
    ("--help",),
]


FULL = ('"$@" >/dev/full', "No space left on device")


@pytest.mark.parametrize(
    ("command", "shell", "words"),
    [
        *((command, *FULL) for command in PRINTING),
        (("plan",), '"$@" >&-', "Bad file descriptor"),
        (("plan",), INTO_A_CLOSED_PIPE, "Broken pipe"),
        (("--help",), INTO_A_CLOSED_PIPE, "Broken pipe"),
    ],
)
def test_an_output_that_takes_nothing_is_named(
    root: Path, command: tuple[str, ...], shell: str, words: str
) -> None:
    answer = gate(root, *command, shell=shell)
    assert is_named(answer, "the standard output", words)


@pytest.mark.parametrize("shell", ['"$@" 2>/dev/full', '"$@" 2>&-', '"$@" 2>/dev/full >/dev/full'])
def test_a_complaint_that_has_no_place_to_go_leaves_the_exit_code(root: Path, shell: str) -> None:
    assert gate(root, "judge", "gone.json", shell=shell).returncode == 10
    assert gate(root, "plan", "--base", "gone", shell=shell).returncode == 11


def test_an_encoding_without_our_signs_is_no_traceback(root: Path) -> None:
    answer = gate(root, "judge", "record.json", shell='PYTHONIOENCODING=ascii "$@"')
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="`/dev/full` cannot be written: No space left"):
        write_text(Path("/dev/full"), "a" * 10_000)
    (tmp_path / "link").symlink_to("/dev/null")
    write_text(tmp_path / "link", "a")
    assert (tmp_path / "link").is_symlink()
    assert Path("/dev/full").is_char_device()


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("1")
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "2")
    assert (tmp_path / "real").read_text() == "2"
    assert (tmp_path / "link").is_symlink()


def test_the_output_folder_ignores_itself_and_nobody_elses(tmp_path: Path) -> None:
    make_output_folder(tmp_path / "new" / "out")
    assert (tmp_path / "new" / "out" / ".gitignore").read_text().endswith("*\n")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "precious").write_text("1")
    make_output_folder(tmp_path / "own")
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["precious"]


@pytest.mark.skipif(not Path("/proc").exists(), reason="the system has no /proc")
def test_a_place_that_takes_no_files_is_named() -> None:
    """Both were a traceback, and "a defect of coreml-gate"."""
    with pytest.raises(OutputError, match="`/proc/here` cannot be written: No such file or directory"):
        make_output_folder(Path("/proc/here"))


def test_more_folders_in_folders_than_python_can_make_are_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="too many folders in folders") as raised:
        make_output_folder(tmp_path / ("a/" * 1900))
    assert len(raised.value.message) < 100


def test_a_width_of_0_loses_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """`COLUMNS=0` printed nothing, and the exit code was all that there was."""
    monkeypatch.setenv("COLUMNS", "0")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    out, _ = open_screens()
    out.print("what happened")
    assert out.file.getvalue() == "what happened\n"  # type: ignore[attr-defined]


def test_a_folder_that_another_run_uses_is_refused_and_free_afterwards(tmp_path: Path) -> None:
    """Both measured into the same files: one ended with `worker error`, or held the other's events."""
    with output_folder(tmp_path / "out"):
        with (
            pytest.raises(OutputError, match="is in use by another run") as raised,
            output_folder(tmp_path / "out"),
        ):
            pass
        with output_folder(tmp_path / "another"):
            pass
    assert "`--output`" in raised.value.hint
    with output_folder(tmp_path / "out"):
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".gitignore"]


def test_a_disk_without_locks_is_used_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with output_folder(tmp_path), output_folder(tmp_path):
        assert (tmp_path / ".gitignore").exists()


def test_what_a_run_wrote_stays_when_another_is_refused(root: Path) -> None:
    (root / "out").mkdir()
    (root / "out/report.json").write_text("of the first run")
    with output_folder(root / "out"):
        refused = gate(root, "judge", "record.json", "--output", "out")
    assert refused.returncode == OutputError.exit_code
    assert "in use by another run" in refused.stderr
    assert (root / "out/report.json").read_text() == "of the first run"
