import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from coreml_gate.config.load import load_config
from tests.examples.conftest import load_module

ACCURACIES = {"digits": 0.99, "keywords": 0.98, "reviews": 0.98}


def predictor(model: nn.Module) -> Callable[[Tensor], dict[str, np.ndarray]]:
    def predict(sample: Tensor) -> dict[str, np.ndarray]:
        with torch.no_grad():
            return {"scores": model(sample).numpy()}

    return predict


@pytest.mark.parametrize("name", ACCURACIES)
def test_the_shipped_weights_reach_the_accuracy(name: str, repository: Path) -> None:
    module = load_module(repository / "models" / f"{name}.py")

    assert module.evaluate(predictor(module.build()))["accuracy"] >= ACCURACIES[name]


@pytest.mark.parametrize("name", ACCURACIES)
def test_an_untrained_network_does_not(name: str, repository: Path) -> None:
    module = load_module(repository / "models" / f"{name}.py")
    untrained = type(module.build())().eval()

    assert module.evaluate(predictor(untrained))["accuracy"] < 0.6


@pytest.mark.parametrize("name", ACCURACIES)
def test_samples_are_single_and_not_in_the_training_set(name: str, repository: Path) -> None:
    module = load_module(repository / "models" / f"{name}.py")
    learned, _ = module.training_set()

    samples = list(module.samples())

    assert [sample.shape for sample in samples] == [(1, *learned.shape[1:])] * 8
    assert not any((learned == sample).flatten(1).all(dim=1).any() for sample in samples)


def test_the_configuration_names_what_the_models_have(repository: Path) -> None:
    config = load_config(repository)

    assert [model.name for model in config.model] == list(ACCURACIES)
    for model in config.model:
        module = load_module(repository / f"models/{model.name}.py")
        for reference in (model.source, model.samples, model.evaluate):
            assert reference is not None
            path, _, name = reference.partition(":")
            assert path == f"models/{model.name}.py"
            assert inspect.isfunction(getattr(module, name))
        assert [path for pattern in model.watch for path in repository.glob(pattern)] == [
            repository / f"weights/{model.name}.safetensors"
        ]


@pytest.mark.parametrize("name", ACCURACIES)
def test_weights_are_small(name: str, repository: Path) -> None:
    assert (repository / f"weights/{name}.safetensors").stat().st_size < 500_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ACCURACIES)
def test_training_again_reaches_the_accuracy(
    name: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("models", "train.py"):
        (tmp_path / part).symlink_to(repository / part)
    (tmp_path / "weights").mkdir()
    command = [sys.executable, "-c", "import train; train.main()", name]

    subprocess.run(command, cwd=tmp_path, check=True)

    module = load_module(repository / "models" / f"{name}.py")
    monkeypatch.setattr(module, "WEIGHTS", tmp_path / "weights" / f"{name}.safetensors")
    assert module.evaluate(predictor(module.build()))["accuracy"] >= ACCURACIES[name]
