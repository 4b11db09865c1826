"""Do xcodebuild's own words reach the user, though coremltools throws them away?"""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from coremltools.models.ml_program.experimental.remote_device import Device, _AppBuilder

from coreml_gate.engines.remote_device import Registry, Signing, overheard, prepared, reason_in
from coreml_gate.errors import DeviceError
from tests.engines.phone import UDID, phone

XCODEBUILD = """#!/bin/sh
echo "note: Building for $2"
echo "error: No profiles for 'com.coremltools.modelrunnerd' were found" >&2
exit 65
"""


@pytest.fixture
def xcode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "Xcode"
    folder.mkdir()
    (folder / "xcodebuild").write_text(XCODEBUILD)
    (folder / "xcodebuild").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def registry(tmp_path: Path) -> Registry:
    """Builds as coremltools does, with its own builder."""
    workspace = tmp_path / "modelrunner.xcworkspace"

    async def prepare(device: Device, credentials: Any, working_directory: Path, clean: bool) -> Any:
        workspace.mkdir()
        return _AppBuilder.build(device, working_directory, workspace, credentials, clean)

    return Registry(lambda: [phone()], prepare, lambda **_: None, lambda _: None)  # type: ignore[arg-type,return-value]


@pytest.mark.usefixtures("xcode")
def test_the_errors_of_a_build_are_the_hint_without_the_udid(tmp_path: Path) -> None:
    before = os.environ["PATH"]
    with pytest.raises(DeviceError, match=r"could not be built or started: \[Error Code 65\] None") as raised:
        asyncio.run(prepared(registry(tmp_path), UDID, Signing("TEAM"), tmp_path))
    said = "xcodebuild said: error: No profiles for 'com.coremltools.modelrunnerd' were found"
    assert raised.value.hint == said
    assert os.environ["PATH"] == before
    assert reason_in(tmp_path / "bin" / "xcodebuild.log", UDID) == said


def test_without_a_named_error_the_last_lines_are_told(tmp_path: Path) -> None:
    words = tmp_path / "xcodebuild.log"
    words.write_text("\n".join(f"line {number} id={UDID}" for number in range(9)))
    assert reason_in(words, UDID).startswith("xcodebuild said: line 4 id=UDID | line 5 id=UDID")
    assert UDID not in reason_in(words, UDID)


def test_without_xcode_nothing_is_in_the_way(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path)}
    with overheard(tmp_path / "bin", environment) as words:
        assert environment["PATH"] == str(tmp_path)
    assert reason_in(words, UDID) == ""


def test_a_folder_with_a_blank_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    folder = tmp_path / "my models"
    folder.mkdir()
    with pytest.raises(DeviceError, match="the path has a blank"):
        asyncio.run(prepared(registry(tmp_path), UDID, Signing("TEAM"), folder))
