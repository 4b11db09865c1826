"""After `coreml-gate init`, what it wrote can be measured: the models are built, converted and compared."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from torch import nn

from coreml_gate.api.measuring import record_of
from coreml_gate.children.job import ModelJob
from coreml_gate.config.load import load_config
from coreml_gate.measurements.bench import Bench
from coreml_gate.record import ModelRecord
from tests.init.conftest import Lay
from tests.init.repositories import LIGHTNING, NOTEBOOK, ONE_SCRIPT, PACKAGE
from tests.init.test_command import run
from tests.init.varied import REPOSITORIES


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules and paths of a repository go with its test; lightning is a module of torch by another name."""
    lightning = ModuleType("lightning")
    lightning.__dict__["LightningModule"] = type("LightningModule", (nn.Module,), {})
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "lightning", lightning)
    yield
    for name in set(sys.modules) - before:
        if not name.startswith(("torch", "coremltools", "coreml_gate.")):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("files", "names", "random_samples"),
    [
        (ONE_SCRIPT, ["tiny_net"], True),
        (PACKAGE, ["classifier", "text_encoder"], True),
        (LIGHTNING, ["lit_regressor"], False),
        (NOTEBOOK, ["tiny_net"], True),
    ],
    ids=["one script", "package", "lightning", "notebook"],
)
def test_the_proposed_models_are_converted_and_compared(
    lay: Lay, files: dict[str, str], names: list[str], random_samples: bool
) -> None:
    root = lay(files)
    code, _ = run(root, "--yes")
    assert code == 0

    records = {name: _measured(root, name) for name in names}

    assert [model.name for model in load_config(root).model] == names
    for record in records.values():
        assert record.problem is None
        assert record.conversion is not None
        assert record.conversion.status == "converted"
        assert record.parity
        assert record.precision
        assert record.source is not None
        assert record.source.random_samples is random_samples


def _measured(root: Path, name: str) -> ModelRecord:
    config = load_config(root)
    (model,) = (each for each in config.model if each.name == name)
    job = ModelJob(root=root, record_folder=root / "out", model=model, closure="", max_samples=2)
    job.folder.mkdir(parents=True)
    return record_of(Bench(job)).models[0]


SOUND = [name for name, each in REPOSITORIES.items() if each.runs and each.models]


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND)
def test_what_is_proposed_for_varied_repositories_is_measured_as_it_stands(lay: Lay, name: str) -> None:
    root = lay(REPOSITORIES[name].files)
    assert run(root, "--yes")[0] == 0

    records = {each: _measured(root, each) for each in REPOSITORIES[name].models}

    assert {each: record.problem for each, record in records.items()} == dict.fromkeys(records)
    assert all(record.parity and record.precision for record in records.values())
    worst = {name: max(each.relative_error for each in record.parity) for name, record in records.items()}
    assert max(worst.values()) < 1e-4
