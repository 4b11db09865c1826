import errno
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from coreml_gate.config import ModelInput
from coreml_gate.conversion import Conversion, convert
from coreml_gate.conversion import cache as module
from coreml_gate.conversion.cache import ConversionCache
from coreml_gate.record import ConversionFacts
from tests.conversion.conftest import MakeBench

X = (ModelInput(name="x", shape=(1, 4)),)
LINEAR = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)
    def forward(self, x):
        return self.fc(x)
"""


def _conversion(folder: Path, size: int = 100, status: str = "converted") -> Conversion:
    """A conversion whose packages hold ``size`` bytes each."""
    paths = []
    for name in ("reference", "package"):
        path = folder / f"{name}.mlpackage"
        (path / "Data").mkdir(parents=True)
        (path / "Data" / "weight.bin").write_bytes(name[0].encode() * size)
        paths.append(path)
    facts = ConversionFacts.model_validate({"status": status, "route": "export", "seconds": 2.5})
    return Conversion(facts, *paths)


def test_an_entry_comes_back_as_it_was(tmp_path: Path) -> None:
    cache = ConversionCache(tmp_path / "cache")
    assert cache.load("key", tmp_path / "a") is None
    cache.store("key", _conversion(tmp_path / "made"))
    known = cache.load("key", tmp_path / "b")
    assert known is not None
    assert (known.facts.cached, known.facts.seconds, known.facts.route) == (True, 2.5, "export")
    assert (known.reference, known.package) == tuple(
        tmp_path / "b" / f"{name}.mlpackage" for name in ("reference", "package")
    )
    assert (tmp_path / "b/package.mlpackage/Data/weight.bin").read_bytes() == b"p" * 100


def test_an_entry_takes_no_room_of_its_own_and_outlives_the_folder_that_it_came_from(tmp_path: Path) -> None:
    cache = ConversionCache(tmp_path / "cache")
    made = _conversion(tmp_path / "made")
    cache.store("key", made)
    weights = "package.mlpackage/Data/weight.bin"
    assert (tmp_path / "cache/key" / weights).samefile(tmp_path / "made" / weights)
    shutil.rmtree(tmp_path / "made")
    assert cache.load("key", tmp_path / "b") is not None
    assert (tmp_path / "b" / weights).read_bytes() == b"p" * 100


def test_where_files_cannot_be_linked_they_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    cache = ConversionCache(tmp_path / "cache")
    cache.store("key", _conversion(tmp_path / "made"))
    assert cache.load("key", tmp_path / "b") is not None
    weights = "package.mlpackage/Data/weight.bin"
    assert not (tmp_path / "b" / weights).samefile(tmp_path / "made" / weights)
    assert (tmp_path / "b" / weights).read_bytes() == b"p" * 100


def _flip(entry: Path) -> None:
    path = entry / "package.mlpackage/Data/weight.bin"
    path.write_bytes(b"q" + path.read_bytes()[1:])


def _lose(entry: Path) -> None:
    (entry / "reference.mlpackage/Data/weight.bin").unlink()


def _truncate(entry: Path) -> None:
    (entry / "entry.json").write_text('{"facts": ')


def _empty(entry: Path) -> None:
    (entry / "entry.json").write_text("{}")


@pytest.mark.parametrize("damage", [_flip, _lose, _truncate, _empty])
def test_a_damaged_entry_is_dropped(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    cache = ConversionCache(tmp_path / "cache")
    cache.store("key", _conversion(tmp_path / "made"))
    damage(tmp_path / "cache" / "key")
    assert cache.load("key", tmp_path / "b") is None
    assert not (tmp_path / "cache" / "key").exists()


@pytest.mark.attack("disks and outputs")
@pytest.mark.parametrize("name", ["../precious", "sub/precious", "..", "/precious.mlpackage", "", 3, None])
def test_an_entry_that_names_what_is_not_its_own_removes_nothing(tmp_path: Path, name: object) -> None:
    cache = ConversionCache(tmp_path / "cache")
    cache.store("key", _conversion(tmp_path / "made"))
    precious = tmp_path / "precious" / "file"
    precious.parent.mkdir()
    precious.write_text("mine")
    index = tmp_path / "cache/key/entry.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"package": name}))
    (tmp_path / "into").mkdir()
    assert cache.load("key", tmp_path / "into") is None
    assert precious.read_text() == "mine"


@pytest.mark.attack("disks and outputs")
@pytest.mark.parametrize("kind", ["file", "dangling link", "below a file"])
def test_a_cache_that_cannot_be_written_keeps_nothing(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "cache"
    if kind == "dangling link":
        folder.symlink_to(tmp_path / "nowhere" / "else")
    else:
        folder.write_text("")
    cache = ConversionCache(folder / "entries" if kind == "below a file" else folder)
    cache.store("key", _conversion(tmp_path / "made"))
    assert cache.load("key", tmp_path / "into") is None


@pytest.mark.attack("disks and outputs")
def test_an_entry_that_another_process_drops_meanwhile_harms_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ConversionCache(tmp_path / "cache")
    cache.store("a", _conversion(tmp_path / "made"))
    write = module._write_entry

    def dropping(folder: Path, *rest: object) -> None:
        write(folder, *rest)  # type: ignore[arg-type]
        (folder.parent / "gone").symlink_to(folder.parent / "dropped")

    monkeypatch.setattr(module, "_write_entry", dropping)
    cache.store("b", _conversion(tmp_path / "more"))
    assert {"a", "b"} < {path.name for path in (tmp_path / "cache").iterdir()}


@pytest.mark.attack("the end of the gate")
def test_what_a_killed_process_was_writing_goes_after_an_hour(tmp_path: Path) -> None:
    cache = ConversionCache(tmp_path / "cache")
    for name in (".new-old", ".new-young"):
        (tmp_path / "cache" / name).mkdir(parents=True)
    os.utime(tmp_path / "cache/.new-old", (1, 1))
    cache.store("key", _conversion(tmp_path / "made"))
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [".new-young", "key"]


def test_who_comes_to_a_key_meanwhile_waits_for_what_is_made(tmp_path: Path) -> None:
    cache = ConversionCache(tmp_path / "cache")
    found: list[bool] = []

    def later() -> None:
        with cache.alone("key"):
            found.append(cache.load("key", tmp_path / "later") is not None)

    waiting = threading.Thread(target=later)
    with cache.alone("key"), cache.alone("another key"):
        waiting.start()
        cache.store("key", _conversion(tmp_path / "made"))
        assert found == []
    waiting.join()
    assert found == [True]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["key"]


@pytest.mark.attack("disks and outputs")
@pytest.mark.parametrize("how", ["held for ever", "a folder", "a link", "a file for a folder", "no locks"])
def test_a_lock_that_cannot_be_had_costs_a_conversion_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(module, "_MOST_WAIT_S", 0.0 if how == "held for ever" else 600.0)
    cache, precious = ConversionCache(tmp_path / "cache"), tmp_path / "precious"
    if how == "a file for a folder":
        cache.folder.write_text("")
    elif how == "a folder":
        (cache.folder / ".lock-key").mkdir(parents=True)
    elif how == "a link":
        cache.folder.mkdir()
        precious.write_text("mine")
        (cache.folder / ".lock-key").symlink_to(precious)
    elif how == "no locks":
        monkeypatch.setattr(module.fcntl, "flock", refuse)
    with cache.alone("key"):
        entered = how != "held for ever"
        if not entered:
            with cache.alone("key"):
                entered = True
    assert entered
    assert not precious.exists() or precious.read_text() == "mine"


def test_failures_are_not_kept(tmp_path: Path) -> None:
    cache = ConversionCache(tmp_path / "cache")
    cache.store("key", _conversion(tmp_path / "made", status="failed"))
    assert not (tmp_path / "cache").exists()


def test_the_least_recently_used_entries_go_first(tmp_path: Path) -> None:
    cache = ConversionCache(tmp_path / "cache")
    for number, key in enumerate("abc"):
        cache.store(key, _conversion(tmp_path / key, size=1000))
        os.utime(tmp_path / "cache" / key, (number + 1, number + 1))
    assert cache.load("a", tmp_path / "used") is not None
    small = ConversionCache(tmp_path / "cache", limit_bytes=6500)
    small.store("d", _conversion(tmp_path / "d", size=1000))
    kept = sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert kept == ["a", "d"]


def test_a_key_that_another_process_stored_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ConversionCache(tmp_path / "cache")
    write = module._write_entry

    def slowly(folder: Path, *rest: object) -> None:
        monkeypatch.setattr(module, "_write_entry", write)
        cache.store("key", _conversion(tmp_path / "faster", size=7))
        write(folder, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_write_entry", slowly)
    cache.store("key", _conversion(tmp_path / "slower", size=9))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["key"]
    known = cache.load("key", tmp_path / "b")
    assert known is not None
    assert known.package is not None
    assert (known.package / "Data/weight.bin").stat().st_size == 7


def test_a_second_conversion_is_taken_from_the_cache(bench: MakeBench, tmp_path: Path) -> None:
    made = bench(LINEAR, input=X, precision="float32")
    cache = ConversionCache(tmp_path / "cache")
    first, second = (
        convert(made.source, made.samples, made.config, tmp_path / name, cache=cache, closure="c")
        for name in ("first", "second")
    )
    assert (first.facts.cached, second.facts.cached) == (False, True)
    assert second.reference == second.package == tmp_path / "second" / "package.mlpackage"
    assert second.package.is_dir()
