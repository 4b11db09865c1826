from typing import Any

import pytest
import torch

from coreml_gate.config import ImageInput, ModelConfig, ModelInput
from coreml_gate.engines.images import package_sample
from coreml_gate.engines.samples import Samples, load_samples
from coreml_gate.engines.source import load_source
from coreml_gate.errors import SamplesError
from coreml_gate.mil.ir import Feature
from tests.engines.conftest import Repository

NET = """
    import numpy as np
    import torch
    from torch import nn
    class Net(nn.Module):
        def forward(self, x, mask, scale=None):
            return x * mask
"""


def _load(repository: Repository, samples: str, limit: int = 8, **options: Any) -> Samples:
    """Loads the samples that the expression gives."""
    repository.write("net.py", NET + f"\n    def samples():\n        return {samples}\n")
    config = ModelConfig(name="net", source="net.py:Net", samples="net.py:samples", **options)
    return load_samples(config, load_source(config.source, repository.root), repository.root, limit)


FORMS = {
    "tuples": "[(torch.ones(1, 2), torch.zeros(1, 2))]",
    "lists": "[[torch.ones(1, 2), torch.zeros(1, 2)]]",
    "dicts": "[{'mask': torch.zeros(1, 2), 'x': torch.ones(1, 2)}]",
    "arrays": "[(np.ones((1, 2)), np.zeros((1, 2), np.float32))]",
    "a generator": "((torch.ones(1, 2), torch.zeros(1, 2)) for _ in iter(int, 1))",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_named_tensors_in_the_sources_order(repository: Repository, form: str) -> None:
    loaded = _load(repository, FORMS[form], limit=3)
    assert loaded.names == ("x", "mask")
    assert not loaded.random
    first = loaded.samples[0]
    assert list(first) == ["x", "mask"]
    assert torch.equal(first["x"], torch.ones(1, 2))
    assert len(loaded.samples) == (3 if form == "a generator" else 1)


def test_the_configuration_may_name_the_inputs_in_its_own_order(repository: Repository) -> None:
    loaded = _load(
        repository,
        "[(torch.zeros(1, 2), torch.ones(1, 2))]",
        input=(ModelInput(name="mask"), ModelInput(name="x")),
    )
    assert loaded.names == ("x", "mask")
    assert loaded.samples[0]["x"].sum() == 2


def test_new_names_apply_by_position(repository: Repository) -> None:
    loaded = _load(
        repository,
        "[(torch.ones(1, 2), torch.zeros(1, 2))]",
        input=(ModelInput(name="image"), ModelInput(name="weight")),
    )
    assert loaded.names == ("image", "weight")


def test_the_fingerprint_follows_the_data(repository: Repository) -> None:
    same = [_load(repository, FORMS[form]).fingerprint for form in ("tuples", "dicts")]
    assert same[0] == same[1]
    repository.write("other.py", "import torch\ndef samples(): return [[torch.ones(1, 2)] * 2]\n")
    config = ModelConfig(name="net", source="net.py:Net", samples="other.py:samples")
    other = load_samples(config, load_source("net.py:Net", repository.root), repository.root, 8)
    assert other.fingerprint != same[0]


def _input(**options: Any) -> dict[str, Any]:
    return {"input": (ModelInput(name="x", **options), ModelInput(name="mask"))}


GOOD = "torch.ones(1, 2)"
BROKEN: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "empty": ("[]", {}, "yielded no sample", "by input name"),
    "no iterable": ("3", {}, "returned a `int`", "by input name"),
    "one tensor": (GOOD, {}, "returned a `Tensor`", "by input name"),
    "raises": ("[1 / 0]", {}, "ZeroDivisionError: division by zero (net.py:9)", ""),
    "too many": (
        f"[({GOOD},) * 4]",
        {},
        "holds 4 inputs, the source takes 3: `x`, `mask`, `scale`",
        "one tensor",
    ),
    "complex": ("[(torch.ones(1, 2) * 1j,) * 3]", {}, "is complex", "make it two inputs"),
    "too few": (f"[{GOOD}]", {}, "sample 0 lacks the input `mask`: it has `x`", "every input"),
    "unknown name": (
        f"[{{'x': {GOOD}, 'msk': {GOOD}}}]",
        {},
        "`msk` that the source does not take: it takes `x`, `mask`, `scale`",
        "rename",
    ),
    "missing name": (f"[{{'x': {GOOD}}}]", {}, "sample 0 lacks the input `mask`", "every input"),
    "other names later": (
        f"[{{'x': {GOOD}, 'mask': {GOOD}}}, {{'x': {GOOD}}}]",
        {},
        "sample 1 holds `x`, sample 0 holds `x`, `mask`",
        "the same inputs",
    ),
    "configured but absent": (
        f"[{{'x': {GOOD}, 'mask': {GOOD}}}]",
        {"input": (ModelInput(name="pixels"),)},
        "input `pixels` is configured",
        "correct the name",
    ),
    "wrong shape": (
        f"[({GOOD}, {GOOD}), (torch.ones(1, 3), {GOOD})]",
        _input(shape=(1, 2)),
        "input `x` of sample 1 has shape [1, 3], allowed is [1, 2]",
        "change `shape`",
    ),
    "out of range": (
        f"[(torch.ones(1, 9), {GOOD})]",
        _input(shape=(1, (2, 8))),
        "shape [1, 9], allowed is [1, [2, 8]]",
        "change `shape`",
    ),
    "not enumerated": (
        f"[(torch.ones(1, 9), {GOOD})]",
        _input(shapes=((1, 2), (1, 4))),
        "allowed is [1, 2] or [1, 4]",
        "change `shape`",
    ),
    "float for int32": (
        f"[({GOOD}, {GOOD})]",
        _input(dtype="int32"),
        "is float32, the configuration allows int32",
        "dtype",
    ),
    "objects": (
        f"[(np.array([None, 1]), {GOOD})]",
        {},
        "input `x` of sample 0 is a `object array`",
        "yield tensors",
    ),
    "dict": (
        f"[({{'ids': {GOOD}, 'mask': {GOOD}}}, {GOOD})]",
        {},
        "input `x` of sample 0 is a `dict`, which Core ML cannot take",
        'def forward(self, ids, mask_1, mask): return self.model({"ids": ids, "mask": mask_1}, mask)`',
    ),
    "list": (
        f"[([{GOOD}, None], {GOOD})]",
        {},
        "input `x` of sample 0 is a `list`",
        "`def forward(self, x_0, mask): return self.model([x_0, None], mask)`, and yield these",
    ),
    "text": (f"[({GOOD}, 'mean')]", {}, "input `mask` of sample 0 is a `str`", 'self.model(x, "mean")`'),
    "number by name": (
        f"[{{'x': {GOOD}, 'mask': 0.5}}]",
        {},
        "input `mask` of sample 0 is a `float`",
        (
            "where it changes, yield `torch.tensor([0.5])`; else let `source` give a module around it that "
            "takes tensors alone, `def forward(self, x): return self.model(x=x, mask=0.5)`"
        ),
    ),
    "nothing": (f"[({GOOD}, None)]", {}, "input `mask` of sample 0 is `None`", "self.model(x, None)`"),
    "scalar": (f"[(torch.tensor(1.0), {GOOD})]", {}, "is a scalar (rank 0)", "shape [1]"),
    "two dtypes": (
        f"[({GOOD}, {GOOD}), ({GOOD}.int(), {GOOD})]",
        {},
        "input `x` of sample 1 is int32 [1, 2], that of sample 0 is float32 [1, 2]",
        "one dtype",
    ),
    "two ranks": (
        f"[({GOOD}, {GOOD}), ({GOOD}[0], {GOOD})]",
        {},
        "is float32 [2], that of sample 0",
        "one rank",
    ),
    "not finite": (
        f"[({GOOD}, torch.tensor([[1.0, float('nan')]]))]",
        {},
        "input `mask` of sample 0 holds NaN or infinity in 1 element",
        "-1e4",
    ),
    "undeclared flexible": (
        f"[({GOOD}, {GOOD}), (torch.ones(1, 7), {GOOD})]",
        {},
        "shape [1, 2] in sample 0 and [1, 7] in sample 1",
        '[[model.input]] name = "x" shape = [1, [2, 7]]',
    ),
    "no image": (
        f"[(torch.full((1, 3, 2, 2), 300.0), {GOOD})]",
        _input(image=ImageInput()),
        "needs pixels from 300 to 300, allowed are 0 to 255",
        "pixel * scale + bias",
    ),
    "grey image": (
        f"[(torch.ones(1, 1, 2, 2), {GOOD})]",
        _input(image=ImageInput()),
        "has shape [1, 1, 2, 2], allowed for RGB is [1, 3, H, W]",
        "channel first",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_samples_say_what_is_allowed(repository: Repository, case: str) -> None:
    samples, options, message, hint = BROKEN[case]
    with pytest.raises(SamplesError) as caught:
        _load(repository, samples, **options)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_narrow_types_become_what_core_ml_takes(repository: Repository) -> None:
    loaded = _load(repository, "[(torch.ones(1, 2).double(), torch.ones(1, 2).to(torch.uint8))]")
    assert [value.dtype for value in loaded.samples[0].values()] == [torch.float32, torch.int32]


def test_what_the_source_gets_is_not_rounded_for_a_float16_input(repository: Repository) -> None:
    loaded = _load(repository, f"[({GOOD} * 0.1, {GOOD})]", **_input(dtype="float16"))
    assert loaded.samples[0]["x"].flatten()[0].item() == torch.tensor(0.1).item()


def test_images_are_rounded_to_pixels_and_given_to_the_package_as_such(repository: Repository) -> None:
    image = ImageInput(scale=1 / 255, bias=(-0.5, -0.25, 0.0))
    options = _input(image=image)
    loaded = _load(repository, f"[(torch.full((1, 3, 1, 1), 0.21), {GOOD})]", **options)
    config = ModelConfig(name="net", source="net.py:Net", **options)
    pixels = package_sample(loaded.samples[0], config)
    assert pixels["x"].flatten().tolist() == [181.0, 117.0, 54.0]
    assert loaded.samples[0]["x"].flatten().tolist() == pytest.approx(
        [181 / 255 - 0.5, 117 / 255 - 0.25, 54 / 255]
    )
    assert torch.equal(pixels["mask"], loaded.samples[0]["mask"])


def _random(repository: Repository, count: int = 4, **options: Any) -> Samples:
    repository.write("net.py", NET)
    config = ModelConfig(name="net", source="net.py:Net", **options)
    return load_samples(config, load_source("net.py:Net", repository.root), repository.root, count)


def test_random_samples_are_seeded_and_of_the_declared_kind(repository: Repository) -> None:
    inputs = (
        ModelInput(name="x", shape=(1, 3, 4, 4), image=ImageInput()),
        ModelInput(name="mask", shape=(64,), dtype="int32"),
    )
    loaded = _random(repository, input=inputs)
    assert loaded.random
    assert len(loaded.samples) == 4
    pixels, integers = loaded.samples[0].values()
    assert torch.equal(pixels, pixels.round())
    assert 5 < pixels.std() < 120
    assert (int(integers.min()), int(integers.max())) == (0, 9)
    assert loaded.fingerprint == _random(repository, input=inputs).fingerprint


def test_random_samples_vary_equal_ranges_alike(repository: Repository) -> None:
    inputs = (ModelInput(name="x", shape=(1, (2, 40))), ModelInput(name="mask", shape=(1, (2, 40))))
    loaded = _random(repository, count=8, input=inputs)
    sizes = [tuple(value.shape[1] for value in sample.values()) for sample in loaded.samples]
    assert sizes[0] == (16, 16)
    assert all(x == mask and 2 <= x <= 40 for x, mask in sizes)
    assert len(set(sizes)) > 2


def test_random_samples_need_shapes(repository: Repository) -> None:
    with pytest.raises(SamplesError, match="the shape of input `mask` is not known") as caught:
        _random(repository, input=(ModelInput(name="x", shape=(1, 2)),))
    assert "samples =" in caught.value.hint


def test_a_package_tells_its_inputs_itself(repository: Repository) -> None:
    repository.write("net.mlpackage/Manifest.json", "{}")
    interface = (
        Feature("tokens", "multiarray", "int32", (1, 8)),
        Feature("photo", "image", "", (2, 4), color="BGR"),
        Feature("extra", "multiarray", "float32", (1, 4), ranges=((1, 1), (4, 6))),
    )
    config = ModelConfig(name="net", source="net.mlpackage")
    source = load_source("net.mlpackage", repository.root)
    loaded = load_samples(config, source, repository.root, 2, interface)
    assert loaded.names == ("tokens", "photo", "extra")
    first = loaded.samples[0]
    assert [tuple(value.shape) for value in first.values()] == [(1, 8), (1, 3, 2, 4), (1, 6)]
    assert first["tokens"].dtype == torch.int64
    assert first["photo"].max() <= 255


def test_an_exported_program_tells_its_inputs_itself(repository: Repository) -> None:
    module, dynamic = torch.nn.Linear(4, 3), {0: torch.export.Dim("batch", min=2, max=5)}
    program = torch.export.export(module, (torch.zeros(3, 4),), dynamic_shapes=(dynamic,), strict=False)
    torch.export.save(program, repository.root / "net.pt2")
    config = ModelConfig(name="net", source="net.pt2", input=(ModelInput(name="input", shape=((2, 5), 4)),))
    loaded = load_samples(config, load_source("net.pt2", repository.root), repository.root, 3)
    assert all(
        sample["input"].shape[1] == 4 and 2 <= sample["input"].shape[0] <= 5 for sample in loaded.samples
    )
    bare = ModelConfig(name="net", source="net.pt2")
    assert len(load_samples(bare, load_source("net.pt2", repository.root), repository.root, 1).samples) == 1


@pytest.mark.attack("what changed")
@pytest.mark.parametrize(
    "draw", ["torch.randn(1, 2)", "np.random.rand(1, 2)", "torch.full((1, 2), random.random())"]
)
def test_random_samples_do_not_change_with_what_the_model_draws(repository: Repository, draw: str) -> None:
    drawing = "fill = torch.rand({count}), np.random.rand({count}), [random.random()] * {count}"
    text = NET.replace("import numpy as np", "import random, numpy as np")
    text = text.replace("def forward", f"{drawing}\n        def forward")
    found = []
    for count in (1, 5):
        name = f"drawn_{count}.py"
        body = text.format(count=count) + f"\n    def samples():\n        return [({draw}, {draw})]\n"
        repository.write(name, body)
        config = ModelConfig(name="net", source=f"{name}:Net", samples=f"{name}:samples")
        loaded = load_samples(config, load_source(config.source, repository.root), repository.root, 8)
        found.append(loaded.fingerprint)
    assert found[0] == found[1]
