"""Archives made to do harm are refused before a byte of them is used."""

import io
import re
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterable

import pytest

from coreml_gate.errors import ArtifactError
from coreml_gate.github.api.artifacts import BASELINE_LIMITS, RECORD_LIMITS
from coreml_gate.github.api.zips import SafeZip, ZipLimits

pytestmark = pytest.mark.attack("bombs")

PACKAGE = "models/digits/package.mlpackage"
SMALL = ZipLimits(re.compile(r"[a-z]+\.json"), members=3, total_bytes=3_000_000, ratio=200)


def archive(build: Callable[[zipfile.ZipFile], object]) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        build(target)
    return buffer


def add(
    target: zipfile.ZipFile, names: Iterable[str], data: bytes = b"{}", method: int | None = None
) -> None:
    for name in names:
        target.writestr(name, data, method)


def with_names(*names: str) -> io.BytesIO:
    return archive(lambda target: add(target, names))


def with_kind(mode: int) -> io.BytesIO:
    entry = zipfile.ZipInfo("record.json")
    entry.external_attr = mode << 16
    return archive(lambda target: target.writestr(entry, "/etc/passwd"))


def claiming(size: int, data: bytes = b"{}") -> io.BytesIO:
    """An archive whose only member says to be ``size`` bytes long."""
    buffer = archive(lambda target: target.writestr("a.json", data))
    raw = bytearray(buffer.getvalue())
    central = raw.index(b"PK\x01\x02")
    raw[central + 24 : central + 28] = size.to_bytes(4, "little")
    return io.BytesIO(bytes(raw))


def test_a_package_is_read_as_it_is() -> None:
    names = ("record.json", f"{PACKAGE}/Manifest.json", f"{PACKAGE}/Data/com.apple.CoreML/model.mlmodel")

    def build(target: zipfile.ZipFile) -> None:
        target.mkdir("models/")
        add(target, names)

    safe = SafeZip(archive(build), BASELINE_LIMITS)

    assert tuple(member.name for member in safe.members) == names
    assert safe.read("record.json") == b"{}"


@pytest.mark.parametrize(
    "name",
    [
        "../record.json",
        "/record.json",
        "models/../record.json",
        f"{PACKAGE}/../../../../etc/passwd",
        f"{PACKAGE}/a/../b",
        f"{PACKAGE}//a",
        "models/.ssh/package.mlpackage/key",
        f"{PACKAGE}/.hidden",
        "models\\digits\\package.mlpackage\\a",
        "C:/record.json",
        "record.json\nrecord.json",
        "record.json ",
        f"{PACKAGE}/a\u202eb",
        f"{PACKAGE}/{'a' * 300}",
        f"{PACKAGE}/a/b/c/d/e/f/g",
        "models/digits/package.mlpackage",
        "models/digits/log.txt",
        "Record.json",
    ],
)
def test_a_name_without_a_place_refuses_the_whole_archive(name: str) -> None:
    with pytest.raises(ArtifactError, match="has no place in it") as caught:
        SafeZip(with_names("record.json", name), BASELINE_LIMITS)
    assert "\n" not in caught.value.message
    assert "\u202e" not in caught.value.message


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (with_names("record.json", "record.json"), "1 files"),
        (with_names(f"{PACKAGE}/a", f"{PACKAGE}/A"), "is there twice"),
        (with_names("record.json", f"{PACKAGE}/a", f"{PACKAGE}/a"), "is there twice"),
        (with_kind(stat.S_IFLNK | 0o777), "is not a regular file"),
        (with_kind(stat.S_IFIFO), "is not a regular file"),
        (io.BytesIO(b"not a zip"), "not a zip"),
        (io.BytesIO(b""), "not a zip"),
    ],
)
def test_what_only_an_attacker_makes_is_refused(file: io.BytesIO, message: str) -> None:
    limits = RECORD_LIMITS if message == "1 files" else BASELINE_LIMITS
    expected = "has 2 files, allowed 1" if message == "1 files" else message

    with pytest.raises(ArtifactError, match=expected):
        SafeZip(file, limits)


def test_a_bomb_is_refused_by_its_ratio() -> None:
    bomb = archive(lambda target: target.writestr("a.json", b"\0" * 2_000_000))

    with pytest.raises(ArtifactError, match=r"unpacks to 2,000,000 bytes from 1,\d{3}, allowed 200 times"):
        SafeZip(bomb, SMALL)


def test_many_members_and_many_bytes_are_refused() -> None:
    with pytest.raises(ArtifactError, match="has 4 files, allowed 3"):
        SafeZip(with_names("a.json", "b.json", "c.json", "d.json"), SMALL)
    names = [f"{letter}.json" for letter in "abc"]
    stored = archive(lambda target: add(target, names, b"1" * 1_040_000, zipfile.ZIP_STORED))
    with pytest.raises(ArtifactError, match="unpacks to 3,120,000 bytes, allowed 3,000,000"):
        SafeZip(stored, SMALL)


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_a_member_that_lies_about_its_size_is_damaged(size: int) -> None:
    safe = SafeZip(claiming(size), SMALL)

    with pytest.raises(ArtifactError, match=r"'a\.json' is damaged"):
        safe.read("a.json")


def test_a_huge_claim_is_refused_unread() -> None:
    with pytest.raises(ArtifactError, match=r"unpacks to 4,000,000,000 bytes from \d, allowed 200 times"):
        SafeZip(claiming(4_000_000_000), SMALL)


def test_encryption_and_unusual_packing_are_refused() -> None:
    packed = archive(lambda target: target.writestr("a.json", b"{}" * 40, zipfile.ZIP_LZMA))
    with pytest.raises(ArtifactError, match="packed in an unusual way"):
        SafeZip(packed, SMALL)
