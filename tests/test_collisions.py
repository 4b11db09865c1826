"""Every key, name and hash that stands for a model, tried to be the same for two that differ."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.children.job import ModelJob
from coreml_gate.children.reference_data import ReferenceSample, read_reference_data, write_reference_data
from coreml_gate.config import ModelConfig
from coreml_gate.config.load import parse_config
from coreml_gate.engines.outputs import flatten_outputs
from coreml_gate.errors import ConfigError, GateError, SourceError
from coreml_gate.gate.closure import Closure, Closures, content
from coreml_gate.github.api.artifacts import baseline_name, is_record_name, record_name, report_name
from coreml_gate.mil.ir import Block, Constant, Function, Operation, TensorType, Value
from coreml_gate.mil.package import read_package
from coreml_gate.mil.write import write_package
from coreml_gate.record import parse_record
from tests.builders import model_record, record
from tests.warm import forked

pytestmark = pytest.mark.attack("the right package")

MODEL = '[[model]]\nname = "{}"\nsource = "net.py:build"\n'


def digest(root: Path, files: Mapping[str, bytes], names: tuple[str, ...]) -> str:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return content(root, Closure(frozenset(names), frozenset()))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": b"1", "b": b"2"}, {"a": b"2", "b": b"1"}),
        ({"a": b"12", "b": b""}, {"a": b"1", "b": b"2"}),
        ({"ab": b"1"}, {"a": b"b1"}),
        ({"a/b": b"1"}, {"a_b": b"1"}),
        ({"a/b": b"1", "c": b""}, {"a/bc": b"1"}),
        ({"a\n": b"1"}, {"a": b"\n1"}),
    ],
)
def test_the_content_of_a_closure(tmp_path: Path, first: dict[str, bytes], second: dict[str, bytes]) -> None:
    assert digest(tmp_path / "1", first, (*first,)) != digest(tmp_path / "2", second, (*second,))


def test_a_folder_is_told_from_a_file_of_its_name(tmp_path: Path) -> None:
    folder = digest(tmp_path / "1", {"net.mlpackage/a": b"1"}, ("net.mlpackage",))
    assert folder != digest(tmp_path / "2", {"net.mlpackage": b"1"}, ("net.mlpackage",))


def test_closures_of_models_in_folders_that_look_alike(tmp_path: Path) -> None:
    for folder in ("a/b", "a_b", "a/b_c"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "net.py").write_text("import layers")
        (tmp_path / folder / "layers.py").write_text(folder)
    closures = Closures(tmp_path)
    found = {
        folder: closures.of(ModelConfig(name="m", source=f"{folder}/net.py:build")).files
        for folder in ("a/b", "a_b", "a/b_c")
    }
    assert {folder: {f"{folder}/net.py", f"{folder}/layers.py"} for folder in found} == found


def test_folders_of_models_and_variants(tmp_path: Path) -> None:
    def folder(name: str, variant_of: str | None = None) -> Path:
        model = ModelConfig(name=name, source="net.py:build")
        job = ModelJob(
            root=tmp_path,
            record_folder=tmp_path,
            model=model,
            closure="",
            max_samples=1,
            variant_of=variant_of,
        )
        return job.folder

    jobs = [
        ("a",),
        ("b", "a"),
        ("b",),
        ("a.b",),
        ("a-b",),
        ("a_b",),
        ("variants",),
        ("variants", "a"),
        ("a", "a"),
    ]
    assert len({folder(*job) for job in jobs}) == len(jobs)


@pytest.mark.parametrize("name", ["a/b", "../a", "a b", "é", "", ".", "-a", "a\n", "a" * 101, "a\u0301"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        parse_config(MODEL.format(name.encode("unicode_escape").decode().replace("\\x", "\\u00")), "c.toml")


@pytest.mark.parametrize(("first", "second"), [("a", "A"), ("net.v1", "NET.V1"), ("a", "a")])
def test_names_that_one_folder_would_hold_are_refused(first: str, second: str) -> None:
    with pytest.raises(ConfigError, match="is used by another model"):
        parse_config(MODEL.format(first) + MODEL.format(second), "c.toml")


@pytest.mark.parametrize("lines", ['output = ["y", "y"]', 'input = [{ name = "x" }, { name = "x" }]'])
def test_two_tensors_of_one_name_are_refused_in_a_configuration(lines: str) -> None:
    with pytest.raises(ConfigError, match="twice; each tensor needs a name of its own"):
        parse_config(MODEL.format("a") + lines, "c.toml")


X = torch.ones(1)


@pytest.mark.parametrize(
    "value",
    [
        {"a": {"b": X}, "a_b": X},
        {"a_b": X, "a": {"b": X}},
        {"a": [X, X], "a_1": X},
        {1: X, "1": X},
        ({"0": X, 0: X},),
    ],
)
def test_two_outputs_of_one_name_are_refused(value: object) -> None:
    with pytest.raises(SourceError, match="two of its outputs are named"):
        flatten_outputs(value, "net.py:build")


def test_outputs_that_look_alike_stay_apart() -> None:
    assert [*flatten_outputs({"a": {"b": X}, "a_c": X, "a_b_c": X})] == ["a_b", "a_c", "a_b_c"]


def test_a_record_holds_each_model_and_variant_once() -> None:
    twice = record(model_record(name="a")).model_dump(mode="json")
    twice["models"] *= 2
    with pytest.raises(GateError):
        parse_record(json.dumps(twice), "record.json")


def test_answers_of_samples_and_outputs_with_any_name(tmp_path: Path) -> None:
    names = ["a", "a.npy", "a/b", "a_b", "0/source/a", "file", "input", "", "é", "a\\b", "1"]
    samples = [
        ReferenceSample(
            {name: np.full(1, 100 * index + number) for number, name in enumerate(names)},
            {name: np.full(1, 1_000 + 100 * index + number) for number, name in enumerate(names)},
            {},
        )
        for index in range(11)
    ]
    write_reference_data(tmp_path / "answers.npz", samples)
    for index, sample in enumerate(read_reference_data(tmp_path / "answers.npz")):
        assert {name: int(value[0]) for name, value in sample.inputs.items()} == {
            name: 100 * index + number for number, name in enumerate(names)
        }
        assert {name: int(value[0]) for name, value in sample.source.items()} == {
            name: 1_000 + 100 * index + number for number, name in enumerate(names)
        }


def fingerprint(path: Path, factor: float, kind: str = "mul", name: str = "y") -> str:
    shape = TensorType("fp32", (2,))
    inputs: dict[str, Any] = {"x": ("x",), "y": (Constant(shape, np.array([factor, 1.0], np.float32)),)}
    operation = Operation(kind, name, inputs, {}, (Value(name, shape),))
    write_package(Function("main", 17, (Value("x", shape),), Block((), (operation,), (name,))), path)
    return read_package(path).fingerprint()


def test_a_fingerprint_stands_for_program_and_weights(tmp_path: Path) -> None:
    found = [
        fingerprint(tmp_path / "a", 2.0), fingerprint(tmp_path / "b", 3.0),
        fingerprint(tmp_path / "c", 2.0, "add"), fingerprint(tmp_path / "d", 2.0, name="z"),
    ]  # fmt: skip
    assert len({*found}) == 4
    assert fingerprint(tmp_path / "again", 2.0) == found[0]


KEYS = ("default", "a", "a-1", "a-1-2", "base", "record-a", "line", "1")


def test_artifacts_of_several_gates_in_one_run() -> None:
    sha = "a" * 40
    names = [baseline_name(key, sha) for key in KEYS] + [report_name(key) for key in KEYS]
    names += [record_name(key, shard) for key in KEYS for shard in (1, 12)]
    assert len({*names}) == len(names)
    for key in KEYS:
        own = {name for name in names if is_record_name(name, key)}
        assert own == {record_name(key, shard) for shard in (1, 12)}


LOAD = """
import sys
from pathlib import Path
from coreml_gate.engines.python import load_callable
from coreml_gate.errors import SamplesError, SourceError
root = Path(sys.argv[1])
build = load_callable("models/net.py:build", root, SourceError)
rows = load_callable(sys.argv[2], root, SamplesError)
print(build(), rows())
"""


def loaded(root: Path, samples: str, files: Mapping[str, str]) -> str:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return forked(LOAD, root, str(root), samples)[1]


FILES = {
    "models/net.py": "import tools\ndef build(): return tools.NAME",
    "models/tools.py": "NAME = 'of models'",
    "data/rows.py": "import tools\ndef rows(): return tools.NAME",
    "data/tools.py": "NAME = 'of data'",
}


def test_a_module_of_the_samples_is_not_the_sources_namesake(tmp_path: Path) -> None:
    answer = loaded(tmp_path, "data/rows.py:rows", FILES)
    assert "of models of models" not in answer
    assert "`data/rows.py` imports `tools`, but there are two of them" in answer


def test_a_module_that_both_share_is_no_namesake(tmp_path: Path) -> None:
    files = {path: text for path, text in FILES.items() if path != "data/tools.py"}
    assert loaded(tmp_path, "data/rows.py:rows", files) == "of models of models\n"
    files = {
        **FILES,
        "data/rows.py": "import json\ndef rows(): return json.dumps(1)",
        "data/json/notes.txt": "",
    }
    assert loaded(tmp_path, "data/rows.py:rows", files) == "of models 1\n"
