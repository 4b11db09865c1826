"""What a child prints is kept, head and tail, however much it is."""

import os
import threading
from pathlib import Path

import pytest

from coreml_gate.children import output_log as module
from coreml_gate.children.output_log import OutputLog

pytestmark = pytest.mark.attack("the model's own code")


def test_little_is_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OutputLog(tmp_path / "log.txt") as log:
        os.write(log.input, b"one\n\ntwo\n")
    assert (tmp_path / "log.txt").read_bytes() == b"one\n\ntwo\n"
    assert log.last_lines() == ("one", "two")
    monkeypatch.setattr(module, "TAIL_LINES", 1)
    assert log.last_lines() == ("two",)


def test_of_much_the_middle_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_BYTES", 10)
    monkeypatch.setattr(module, "TAIL_BYTES", 20)
    with OutputLog(tmp_path / "log.txt") as log:
        for number in range(100):
            os.write(log.input, f"{number:04}\n".encode())
    assert (tmp_path / "log.txt").read_text() == (
        "0000\n0001\n\n[470 bytes of output are left out here]\n0096\n0097\n0098\n0099\n"
    )


def test_a_flood_fills_neither_disk_nor_memory(tmp_path: Path) -> None:
    with OutputLog(tmp_path / "log.txt") as log:
        for _ in range(64):
            os.write(log.input, b"x" * 2**20)
    assert (tmp_path / "log.txt").stat().st_size < module.HEAD_BYTES + module.TAIL_BYTES + 100
    assert [len(line) for line in log.last_lines()] == [module.LINE_CHARACTERS]


def test_a_writer_that_goes_on_is_not_waited_for(tmp_path: Path) -> None:
    stopped = threading.Event()

    def flood(descriptor: int) -> None:
        while not stopped.is_set():
            try:
                os.write(descriptor, b"y" * 4096)
            except BrokenPipeError:
                return

    with OutputLog(tmp_path / "log.txt") as log:
        thread = threading.Thread(target=flood, args=(os.dup(log.input),))
        thread.start()
    stopped.set()
    thread.join(timeout=100)
    assert not thread.is_alive()


def test_what_lies_in_the_place_of_the_file_goes_away(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log.txt")
    with OutputLog(tmp_path / "log.txt") as log:
        os.write(log.input, b"one\n")
    assert (tmp_path / "log.txt").read_bytes() == b"one\n"
