"""Whatever a child puts in the place of a file or folder, the parent gets one of its own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from coreml_gate.children.files import fresh_file, fresh_folder

pytestmark = pytest.mark.attack("the model's own code")


@pytest.mark.parametrize(
    "hinder",
    [
        lambda path: path.write_text("a file"),
        lambda path: path.symlink_to(path.parent / "elsewhere"),
        os.mkfifo,
    ],
)
@pytest.mark.parametrize("where", ["models", "models/net"])
def test_a_folder_is_real_up_to_the_one_that_the_parent_made(
    tmp_path: Path, hinder: Callable[[Path], object], where: str
) -> None:
    place = tmp_path / where
    place.parent.mkdir(exist_ok=True)
    hinder(place)
    fresh_folder(tmp_path / "models" / "net", tmp_path)
    assert place.is_dir()
    assert not place.is_symlink()
    assert not (place.parent / "elsewhere").exists()


def test_a_folder_keeps_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "package").touch()
    fresh_folder(tmp_path / "net", tmp_path)
    assert (tmp_path / "net" / "package").exists()


@pytest.mark.parametrize("hinder", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/full")])
def test_a_file_is_new_and_regular(tmp_path: Path, hinder: Callable[[Path], object]) -> None:
    path = tmp_path / "log.txt"
    hinder(path)
    descriptor = fresh_file(path)
    os.write(descriptor, b"one")
    os.close(descriptor)
    assert not path.is_symlink()
    assert path.read_bytes() == b"one"
