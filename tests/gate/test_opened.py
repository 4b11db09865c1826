"""Files that no import shows: seen while a model is measured, kept in the Record, heeded by the next plan."""

import json
from io import StringIO
from pathlib import Path

import pytest

from coreml_gate.cli import main
from coreml_gate.gate.opened import opened_in
from coreml_gate.record import SkippedModel, write_record
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from tests.builders import model_record, record
from tests.gate.conftest import Folder
from tests.warm import ENVIRONMENT, WARM

pytestmark = pytest.mark.attack("what changed")

CONFIG = """
[[model]]
name = "scaled"
source = "models/net.py:build"

[[model]]
name = "plain"
source = "models/plain.py:build"
"""
NET = """
import json, pathlib, sys
import torch

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent / ("ext" + "ra")))


class Scaled(torch.nn.Module):
    def forward(self, x):
        return x * self.scale


def build():
    import sizes
    net = Scaled()
    net.scale = json.loads((here / ("sca" + "le.json")).read_text())
    return net


def samples():
    import sizes
    return [torch.ones(1, sizes.WIDTH)]
"""
PLAIN = (
    NET.replace("import sizes\n", "pass\n")
    .replace("sizes.WIDTH", "2")
    .replace('json.loads((here / ("sca" + "le.json")).read_text())', "2.0")
)


def command(folder: Folder, *arguments: str) -> str:
    out = Screen(StringIO(), width=200)
    around = Surroundings(folder.root, {**ENVIRONMENT, **folder.environ}, out, out, WARM)
    main(arguments, around)
    assert isinstance(out.file, StringIO)
    return out.file.getvalue()


@pytest.fixture
def measured(folder: Folder) -> Folder:
    config = CONFIG.replace(
        '"models/net.py:build"', '"models/net.py:build"\nsamples = "models/net.py:samples"'
    )
    config = config.replace(
        '"models/plain.py:build"', '"models/plain.py:build"\nsamples = "models/plain.py:samples"'
    )
    folder.commit(
        {
            "coreml-gate.toml": config,
            ".gitignore": ".coreml-gate/\n__pycache__/\n",
            "models/net.py": NET,
            "models/plain.py": PLAIN,
            "models/scale.json": "2.0",
            "extra/sizes.py": "WIDTH = 2",
        }
    )
    command(folder, "collect", "--core-ml", "off")
    return folder


def test_what_was_read_is_measured_when_it_changes(measured: Folder) -> None:
    models = json.loads((measured.root / ".coreml-gate" / "record.json").read_text())["models"]
    assert [model["problem"] for model in models] == [None, None]
    assert set(models[0]["opened"]) >= {"models/net.py", "models/scale.json", "extra/sizes.py"}
    assert set(models[1]["opened"]) >= {"models/plain.py"}
    assert not {"models/scale.json", "extra/sizes.py"} & set(models[1]["opened"])

    measured.commit({"readme.md": "unrelated"})
    assert "0 models to measure" in command(measured, "plan", "--base", "HEAD~1")
    for file, text in (("models/scale.json", "3.0"), ("extra/sizes.py", "WIDTH = 3")):
        measured.commit({file: text})
        said = command(measured, "plan", "--base", "HEAD~1")
        assert "1 model to measure" in said
        assert f"measure  scaled  files changed: `{file}`" in said


def test_a_run_that_skips_a_model_keeps_what_it_read(measured: Folder) -> None:
    measured.commit({"models/plain.py": PLAIN + "\n"})
    command(measured, "collect", "--base", "HEAD~1", "--core-ml", "off")
    skipped = json.loads((measured.root / ".coreml-gate" / "record.json").read_text())["skipped"]
    assert [model["name"] for model in skipped] == ["scaled"]
    measured.commit({"models/scale.json": "4.0"})
    assert "measure  scaled" in command(measured, "plan", "--base", "HEAD~1")


def test_records_tell_together_and_a_broken_one_tells_nothing(tmp_path: Path) -> None:
    variant = model_record(name="small", opened=("small.bin",))
    first = record(model_record(name="a", opened=("a.bin",), variants=(variant,)), model_record(name="b"))
    left_out = (SkippedModel(name="b", reason="unchanged", opened=("b.bin",)),)
    write_record(first, tmp_path / "first.json")
    write_record(
        record(model_record(name="a", opened=("c.bin",)), skipped=left_out), tmp_path / "second.json"
    )
    for number, broken in enumerate(("[" * 100_000, "{}", "[]", '{"models": 1, "skipped": []}', "\0")):
        (tmp_path / f"broken{number}.json").write_text(broken)
    found = opened_in([*sorted(tmp_path.iterdir()), tmp_path / "missing.json", tmp_path])
    assert found == {"a": ("a.bin", "c.bin", "small.bin"), "b": ("b.bin",)}
