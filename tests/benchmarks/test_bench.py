import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from zoo import bench
from zoo.row import Row

Respond = Callable[[Sequence[str], Path], str]
OPTIONS = bench.Options(models=("gru",), rounds=1, threads=1, quick=False, cpu_time=False)


def answers(monkeypatch: pytest.MonkeyPatch, respond: Respond) -> None:
    """Replaces child processes by ``respond(arguments, folder)``, which says how each failed."""
    monkeypatch.setattr(bench, "child", lambda arguments, folder, threads: respond(arguments, folder))


def test_an_unknown_model_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.parsed(["--models", "alexnet"])
    assert "no model `alexnet`: choose among resnet50," in capsys.readouterr().err


def test_quick_means_few_rounds_unless_they_are_given() -> None:
    assert bench.parsed(["--quick"]).rounds == bench.QUICK_ROUNDS
    assert bench.parsed(["--quick", "--rounds", "5"]).rounds == 5


def test_a_child_that_dies_keeps_what_it_had_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def respond(arguments: Sequence[str], folder: Path) -> str:
        (folder / "row.json").write_text(Row(model="gru", route="trace").model_dump_json())
        return "the process ended with -11: no message"

    answers(monkeypatch, respond)
    row = bench.measured("gru", OPTIONS)
    assert row.route == "trace"
    assert row.failures == ("the process ended with -11: no message",)


def test_a_child_that_writes_nothing_gives_a_row_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, lambda arguments, folder: "no answer within 1800 s")
    assert bench.measured("gru", OPTIONS) == Row(model="gru", failures=("no answer within 1800 s",))


def test_a_peak_that_cannot_be_measured_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def respond(arguments: Sequence[str], folder: Path) -> str:
        if arguments[0] == "measure":
            (folder / "row.json").write_text(Row(model="gru").model_dump_json())
            return ""
        if arguments[-1] == "fp16":
            return "the process ended with 1: OSError"
        (folder / f"{arguments[-1]}.peak").write_text("7")
        return ""

    answers(monkeypatch, respond)
    assert bench.measured("gru", OPTIONS).peak_bytes == {"eager": 7, "fp32": 7}


def test_a_failing_child_is_told_by_its_last_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = subprocess.CompletedProcess([], 1, stderr=b"Traceback\nValueError: no such net\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: done)
    assert bench.child(["measure", "gru"], tmp_path, 1) == "the process ended with 1: ValueError: no such net"


def test_a_part_of_the_zoo_does_not_overwrite_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "PAGE", tmp_path / "zoo.md")
    monkeypatch.setattr(bench, "measured", lambda model, options: Row(model=model))
    monkeypatch.setattr(bench, "page", lambda rows, conditions: f"{len(rows)} rows")
    bench.main(["--models", "gru,lstm"])
    assert not bench.PAGE.exists()
    bench.main([])
    assert bench.PAGE.read_text() == "14 rows"
    assert capsys.readouterr().out == "2 rows\n14 rows\n"


def test_the_parent_does_not_import_torch() -> None:
    """Its memory and its start would count for nothing else."""
    code = "import sys; from zoo import bench; sys.exit('torch' in sys.modules)"
    path = str(bench.ZOO.parent)
    assert subprocess.run([sys.executable, "-c", code], cwd=path, check=False).returncode == 0
