from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from coreml_gate.config import ModelConfig
from coreml_gate.config.load import load_config
from tests.examples.conftest import EXAMPLES, load_module

demo = load_module(EXAMPLES / "demo.py")
CHANGES = demo.read_changes()


@pytest.fixture(scope="module")
def work_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("phone-models")
    demo.create_repository(folder)
    return folder


def changed(work_tree: Path, name: str) -> Path:
    """The work tree with the change on top of ``main``."""
    demo.git(work_tree, "apply", str(CHANGES[name].patch))
    return work_tree


@pytest.fixture(autouse=True)
def start_from_main(work_tree: Path) -> None:
    demo.git(work_tree, "checkout", "--quiet", "--force", "main")


def scores(module: ModuleType) -> list[np.ndarray]:
    model = module.build()
    with torch.no_grad():
        return [model(sample).numpy() for sample in module.samples()]


def model_config(folder: Path, name: str) -> ModelConfig:
    return next(model for model in load_config(folder).model if model.name == name)


def test_every_patch_is_expected_and_described() -> None:
    described = (EXAMPLES / "changes" / "README.md").read_text(encoding="utf-8")

    assert {patch.stem for patch in (EXAMPLES / "changes").glob("*.patch")} == set(CHANGES)
    assert [name for name in CHANGES if f"[{name}]({name}.patch)" not in described] == []


@pytest.mark.parametrize("name", CHANGES)
def test_only_the_named_models_and_the_configuration_change(name: str, work_tree: Path) -> None:
    allowed = {"coreml-gate.toml"} | {f"models/{model}.py" for model in CHANGES[name].expected.fails}

    folder = changed(work_tree, name)

    lines = CHANGES[name].patch.read_text(encoding="utf-8").splitlines()
    touched = {line.removeprefix("+++ b/") for line in lines if line.startswith("+++ ")}
    assert touched
    assert touched <= allowed
    load_config(folder)


@pytest.mark.parametrize(
    ("change", "model", "allowed"),
    [
        ("harmless-refactor", "reviews", 0.0),
        ("fp16-overflow", "keywords", 1e-3),  # its epsilon no longer counts
        ("mask-minimum", "reviews", 1e-6),
        ("silent-converter-bug", "digits", 1e-6),
        ("unsupported-operation", "keywords", 1e-3),  # its epsilon is gone
        ("renamed-output", "digits", 0.0),
    ],
)
def test_in_pytorch_the_change_keeps_the_numbers(
    change: str, model: str, allowed: float, work_tree: Path
) -> None:
    before = scores(load_module(EXAMPLES / "phone-models" / "models" / f"{model}.py"))

    after = scores(load_module(changed(work_tree, change) / "models" / f"{model}.py"))

    greatest = max(float(np.abs(x - y).max() / np.abs(x).max()) for x, y in zip(before, after, strict=True))
    assert greatest <= allowed


def test_half_precision_loses_what_the_division_by_the_peak_protected(work_tree: Path) -> None:
    base = load_module(EXAMPLES / "phone-models" / "models" / "keywords.py")
    signal = next(base.samples())
    assert base.normalise(signal.half()).square().mean() == pytest.approx(1, abs=0.01)

    head = load_module(changed(work_tree, "fp16-overflow") / "models" / "keywords.py")

    assert head.normalise(signal.half()).count_nonzero() == 0


def test_half_precision_cannot_hold_the_smallest_float(work_tree: Path) -> None:
    base = load_module(EXAMPLES / "phone-models" / "models" / "reviews.py")
    assert np.isfinite(np.float16(base.MASKED))

    head = load_module(changed(work_tree, "mask-minimum") / "models" / "reviews.py")

    with np.errstate(over="ignore"):
        assert np.isneginf(np.float16(head.MASKED))


def test_quantise_asks_for_eight_bits_on_reviews(work_tree: Path) -> None:
    assert model_config(work_tree, "reviews").compress is None

    compress = model_config(changed(work_tree, "quantise"), "reviews").compress

    assert compress is not None
    assert compress.method == "linear-int8"


def test_renamed_output_changes_one_name(work_tree: Path) -> None:
    assert model_config(work_tree, "digits").output == ("scores",)

    folder = changed(work_tree, "renamed-output")

    assert model_config(folder, "digits").output == ("digit_scores",)
