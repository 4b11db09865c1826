"""Foreign files are read as far as their size says, and only if they are regular, wherever they are read."""

import ast
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.config.load import load_config
from coreml_gate.engines.python import load_callable
from coreml_gate.engines.source import copied_package, load_source
from coreml_gate.errors import ConfigError, RecordError, SourceError
from coreml_gate.gate.closure import Closures
from coreml_gate.gate.opened import models_in
from coreml_gate.history import read_history
from coreml_gate.init.scan import scan
from coreml_gate.reading import copy_tree, open_regular, read_bytes, read_named, read_text
from coreml_gate.record import read_record
from tests.builders import model_config
from tests.house import MODULES, tree_of

pytestmark = pytest.mark.attack("disks and outputs")
ENDLESS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
}
ITS_OWN_FILES = {
    "api.document": "the documentation",
    "api.measuring": "events, opened for writing",
    "checks.document": "the documentation",
    "children.files": "new files",
    "config.document": "the documentation",
    "tested_versions": "the documentation",
    "children.capacity": "the system's limits",
    "children.events": "events, opened for writing",
    "children.fork_server": "pipes between processes",
    "children.job": "jobs, which the parent wrote",
    "children.output_log": "logs, opened for writing",
    "children.reference_data": "reference data, opened for writing",
    "conversion.cache": "the cache",
    "conversion.key": "the code of the gate and of coremltools",
    "conversion.origins": "origins, which the child wrote",
    "devices.table": "the table of devices",
    "doctor.recording": "what devicectl wrote",
    "engines.devicectl": "what devicectl wrote",
    "engines.python": "the null device, opened for writing",
    "engines.remote_device": "what devicectl wrote",
    "commands.reports": "the report of this run",
    "github.api.event": "the event of the runner",
    "github.evidence.baseline": "an artifact, opened for writing",
    "github.publishing.outputs": "outputs of a step, opened for writing",
    "init.command": "the workflow to write",
    "reading": "regular files",
    "report.page.assets": "the scripts of the page",
    "selftest.faults": "a copy, opened for writing",
    "stand_in.compiled": "a bundle, opened for writing",
    "stand_in.script": "the rehearsal's script",
    "streams": "the null device",
    "torch_graph": "a graph, which the child wrote",
    "writing": "output files",
}
"""Modules that open other files than those of a checkout, and which."""


@pytest.fixture(params=ENDLESS)
def endless(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "given"
    ENDLESS[request.param](path)
    return path


@pytest.mark.parametrize("read", [read_bytes, read_text, read_named, open_regular])
def test_only_regular_files_are_opened(endless: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        read(endless)


@pytest.mark.parametrize("read", [read_bytes, read_named])
@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="Linux has files that end nowhere")
def test_of_a_file_that_tells_no_size_nothing_is_read(tmp_path: Path, read: Callable[[Path], bytes]) -> None:
    (tmp_path / "given").symlink_to("/proc/self/maps")
    assert read(tmp_path / "given") == b""


def test_a_regular_file_is_read_as_a_whole_and_through_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("\u00e4 b", encoding="utf-8")
    (tmp_path / "link").symlink_to("file")
    assert read_text(tmp_path / "link") == "\u00e4 b"
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(tmp_path / "link", os.O_NOFOLLOW)


def test_the_pipe_of_a_shell_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"text")
    os.close(writer)
    assert read_named(Path(f"/dev/fd/{reader}")) == b"text"
    os.close(reader)


def test_a_folder_with_a_pipe_or_a_device_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "weight.bin").symlink_to("/dev/zero")
    with pytest.raises(OSError, match=r"not a regular file: .*weight.bin"):
        copy_tree(tmp_path / "from", tmp_path / "to")
    with pytest.raises(SourceError, match="package `from` cannot be copied"):
        copied_package(tmp_path / "from", tmp_path / "to")


READERS: dict[str, Callable[[Path], Any]] = {
    "config": lambda path: load_config(path.parent, Path(path.name)),
    "record": read_record,
    "history": read_history,
    "source file": lambda path: load_source(_named(path, "net.pt2"), path.parent),
    "callable": lambda path: load_callable(f"{_named(path, 'net.py')}:build", path.parent, SourceError),
}


def _named(path: Path, name: str) -> str:
    (path.parent / name).symlink_to(path.name)
    return name


@pytest.mark.parametrize("reader", READERS)
def test_whatever_the_gate_reads_of_a_checkout_is_refused_if_it_is_no_file(
    endless: Path, reader: str
) -> None:
    with pytest.raises((ConfigError, RecordError, SourceError)) as refused:
        READERS[reader](endless)
    if not endless.is_dir() or reader not in {"record", "history"}:
        assert "not a regular file" in refused.value.message


def test_what_is_only_looked_through_is_left_out(endless: Path) -> None:
    _named(endless, "net.py")
    assert scan(endless.parent, frozenset({"net.py", "given"})).files == ()
    assert models_in(endless) == []
    assert Closures(endless.parent).of(model_config(source="net.py:build")).files <= {"net.py", "given"}


def test_no_module_opens_a_file_of_a_checkout_by_itself() -> None:
    found = {name.removeprefix("coreml_gate.") for name, file in MODULES.items() if _opens(tree_of(file))}
    assert found == set(ITS_OWN_FILES)


def _opens(tree: ast.Module) -> bool:
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    files = (call for call in calls if not call.startswith(("Repository.", "registry.", "self._archive.")))
    return any(
        call == "open" or call.endswith((".read_text", ".read_bytes", ".open", ".fdopen")) for call in files
    )
