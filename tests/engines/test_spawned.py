"""Do processes that the user's code spawns find the user's files? On a Mac that is how they all start."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from coreml_gate.engines.python import load_callable
from coreml_gate.errors import SamplesError, SourceError
from tests.engines.conftest import Repository
from tests.fake_mac.environment import environment_of

ITEMS = """
    import torch
    from sizes import WIDTH
    from torch.utils.data import DataLoader, Dataset

    class Items(Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, number):
            return torch.full((1, WIDTH), float(number))

    def samples():
        workers = {"num_workers": 1, "multiprocessing_context": "spawn"}
        return [{"x": item} for item in DataLoader(Items(), batch_size=None, **workers)]
"""


@pytest.mark.parametrize("replaced", [False, True], ids=["", "the path was replaced"])
def test_a_worker_of_a_data_loader_imports_the_file_of_the_samples(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    """pytorch/pytorch#46648: forked workers, as on Linux, have it already."""
    if replaced:
        repository.write("net.py", "def build(): ...")
        load_callable("net.py:build", repository.root, SourceError)
        temporary = Path(tempfile.gettempdir())
        monkeypatch.setattr(sys, "path", [each for each in sys.path if Path(each).parent != temporary])
    repository.write("data/sizes.py", "WIDTH = 3\n")
    repository.write("data/items.py", ITEMS)
    samples = load_callable("data/items.py:samples", repository.root, SamplesError)()

    assert isinstance(samples, list)
    assert [sample["x"].tolist() for sample in samples] == [[[0.0] * 3], [[1.0] * 3]]


def test_the_fake_mac_spawns(tmp_path: Path) -> None:
    code = "import multiprocessing; print(multiprocessing.get_context().get_start_method())"
    environment = environment_of(tmp_path, os.environ)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "spawn\n"
