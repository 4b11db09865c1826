"""Two conversions share a key only where they give the same package: each test tries to make two collide."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY, register_torch_op
from torch import nn

from coreml_gate.config import Limits, ModelConfig, ModelInput
from coreml_gate.config.limits import SizeLimits
from coreml_gate.conversion import ConversionCache, convert, key
from coreml_gate.conversion.capture import Captured, capture
from coreml_gate.conversion.conversion import task_of
from coreml_gate.conversion.key import conversion_key
from coreml_gate.conversion.quiet import quiet
from coreml_gate.engines.samples import Samples, load_samples
from coreml_gate.engines.source import Source, load_source
from coreml_gate.record import Route
from tests.conversion.conftest import HEADER, MakeBench

X = (ModelInput(name="x", shape=(1, 4)),)
ROUTES: tuple[Route, ...] = ("export", "trace")
Keys = Callable[..., str | None]


def _key(route: Route, source: Source, samples: Samples, config: ModelConfig) -> str | None:
    with quiet():
        captured = capture(route, source, samples, config)
        return conversion_key(captured, task_of(source, samples, config, source.root), "c")


@pytest.fixture(autouse=True)
def _no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python knows two texts of one length apart only by the second in which they were written."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture(params=ROUTES)
def key_of(request: pytest.FixtureRequest, bench: MakeBench) -> Keys:
    """The key of a source by one route; the closure is the same for all, as for callables of one file."""

    def of(text: str, reference: str = "net.py:Net", **options: Any) -> str | None:
        for name in [name for name in sys.modules if name.startswith("coreml_gate_user_")]:
            del sys.modules[name]
        made = bench(text, reference, **{"input": X, **options})
        return _key(request.param, made.source, made.samples, made.config)

    return of


TWO = """
class Double(nn.Module):
    def forward(self, x):
        return x * {factor}
class Triple(nn.Module):
    def forward(self, x):
        return x * 3
"""


def test_two_callables_of_one_file_without_weights(key_of: Keys) -> None:
    text = TWO.format(factor=2)
    assert key_of(text, "net.py:Double") != key_of(text, "net.py:Triple")


def test_the_same_source_has_the_same_key(key_of: Keys) -> None:
    text = TWO.format(factor=2)
    first = key_of(text, "net.py:Double")
    assert first is not None
    assert first == key_of(text, "net.py:Double")


SHARED = """
class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(4, 4)
    def forward(self, x):
        return {body}
"""


def test_two_callables_with_the_same_weights(key_of: Keys) -> None:
    text = SHARED.format(name="A", body="self.fc(x).relu()") + SHARED.format(name="B", body="self.fc(x)")
    assert key_of(text, "net.py:A") != key_of(text, "net.py:B")


def test_outputs_of_other_names(key_of: Keys) -> None:
    text = SHARED.format(name="A", body="{'scores': self.fc(x)}") + SHARED.format(
        name="B", body="{'logits': self.fc(x)}"
    )
    assert key_of(text, "net.py:A") != key_of(text, "net.py:B")


CLOSURE = """
def make(factor):
    class Net(nn.Module):
        def forward(self, x):
            return x * factor
    return Net()
def small():
    return make({small})
def large():
    return make({large})
"""


@pytest.mark.parametrize(
    ("small", "large"),
    [("2.0", "3.0"), ("0.1", "0.1 + 1e-17 * 2"), ("torch.tensor(2.0)", "torch.tensor(3.0)")],
    ids=["numbers", "neighbours", "tensors"],
)
def test_a_closure_variable(key_of: Keys, small: str, large: str) -> None:
    text = CLOSURE.format(small=small, large=large)
    assert key_of(text, "net.py:small") != key_of(text, "net.py:large")


BUFFER = """
class Net(nn.Module):
    def __init__(self, value=0.0):
        super().__init__()
        self.register_buffer("table", torch.full(({size},), value), persistent={persistent})
    def forward(self, x):
        return x + self.table
def one():
    return Net(1.0)
"""


@pytest.mark.parametrize("persistent", [True, False])
def test_a_buffer(key_of: Keys, persistent: bool) -> None:
    text = BUFFER.format(size=4, persistent=persistent)
    assert key_of(text) != key_of(text, "net.py:one")


def test_one_element_of_a_large_constant(key_of: Keys) -> None:
    text = """
def make(place):
    table = torch.zeros(5000)
    table[place] = 1
    class Net(nn.Module):
        def forward(self, x):
            return x.sum() + table
    return Net()
def first():
    return make(2500)
def second():
    return make(2501)
"""
    assert key_of(text, "net.py:first") != key_of(text, "net.py:second")


DEFAULT = """
class Net(nn.Module):
    def forward(self, x, power={power}):
        return x ** power
"""


def test_a_default_argument(key_of: Keys) -> None:
    two, three = (key_of(DEFAULT.format(power=power), samples="net.py:samples", input=()) for power in (2, 3))
    assert two != three


DEFAULT += "def samples():\n    return [torch.ones(1, 4)]\n"


@pytest.mark.parametrize("other", ["torch.ones(1, 4, dtype=torch.int32)", "torch.ones(2, 4)"])
def test_samples_of_another_form(key_of: Keys, other: str) -> None:
    text = "class Net(nn.Module):\n    def forward(self, x):\n        return x * 2\n"
    given = [
        key_of(f"{text}def samples():\n    return [{sample}]\n", samples="net.py:samples", input=())
        for sample in ("torch.ones(1, 4)", other)
    ]
    assert given[0] != given[1]


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "float32"},
        {"output": ("scores",)},
        {"keep_fp32": ("Net/*",)},
        {"deployment_target": "iOS18"},
        {"input": (ModelInput(name="x", shape=(2, 4)),)},
    ],
    ids=lambda options: next(iter(options)),
)
def test_an_option(key_of: Keys, options: dict[str, Any]) -> None:
    text = TWO.format(factor=2)
    assert key_of(text, "net.py:Double") != key_of(text, "net.py:Double", **options)


def test_limits_change_no_package(key_of: Keys) -> None:
    text = TWO.format(factor=2)
    limits = Limits(size=SizeLimits(max_mb=1))
    assert key_of(text, "net.py:Double") == key_of(text, "net.py:Double", limits=limits)


def test_another_class_of_the_same_operations(key_of: Keys) -> None:
    """``keep-fp32 = ["A/*"]`` keeps other operations then."""
    text = SHARED.format(name="A", body="self.fc(x)") + SHARED.format(name="B", body="self.fc(x)")
    assert key_of(text, "net.py:A") != key_of(text, "net.py:B")


def test_a_new_version_of_an_installed_package(
    key_of: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same weights, other ``forward``, nothing of it in the source's own files."""
    installed = tmp_path / "lib" / "site-packages"
    installed.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(installed))
    keys = []
    for body in ("self.fc(x)", "self.fc(x) * 0.5"):
        sys.modules.pop("layers_of_others", None)
        text = HEADER + SHARED.format(name="Net", body=body)
        (installed / "layers_of_others.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        keys.append(key_of("from layers_of_others import Net\n"))
    assert keys[0] != keys[1]


def test_another_build_of_the_converter(key_of: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    text = TWO.format(factor=2)
    before = key_of(text, "net.py:Double")
    monkeypatch.setattr(key, "_toolchain", lambda: "coremltools 9.0 of another commit")
    assert before != key_of(text, "net.py:Double")


def test_the_same_model_in_another_tree(tmp_path: Path) -> None:
    """The base's worktree and the work tree share what did not change."""
    keys = []
    for name in ("head", "base"):
        root = tmp_path / name
        root.mkdir()
        (root / "net.py").write_text(HEADER + SHARED.format(name="Net", body="self.fc(x)"), encoding="utf-8")
        config = ModelConfig(name="net", source="net.py:Net", input=X)
        source = load_source("net.py:Net", root)
        samples = load_samples(config, source, root, 1)
        keys += [_key(route, source, samples, config) for route in ROUTES]
    assert keys[:2] == keys[2:]
    assert None not in keys


def test_a_converter_of_the_users_own_is_never_kept(key_of: Keys) -> None:
    """Its code is not a part of the program."""
    text = TWO.format(factor=2)
    assert key_of(text, "net.py:Double") is not None

    @register_torch_op(torch_alias=["of_the_test"])
    def converter_of_the_test(context: Any, node: Any) -> None: ...

    try:
        assert key_of(text, "net.py:Double") is None
    finally:
        for name in ("converter_of_the_test", "of_the_test"):
            _TORCH_OPS_REGISTRY.name_to_func_mapping.pop(name)


def test_an_exported_file_with_another_program(bench: MakeBench) -> None:
    keys = []
    for function in (nn.ReLU(), nn.Tanh()):
        torch.export.save(
            torch.export.export(function, (torch.zeros(1, 4),), strict=False), bench.root / "net.pt2"
        )
        source = load_source("net.pt2", bench.root)
        config = ModelConfig(name="net", source="net.pt2")
        keys.append(_key("export", source, load_samples(config, source, bench.root, 1), config))
    assert keys[0] != keys[1]


SCRIPT = """
class Net(nn.Module):
    def __init__(self, factors):
        super().__init__()
        self.factors = factors
    def forward(self, x):
        for factor in self.factors:
            x = x * factor
        return x
"""


def test_attributes_of_a_script_that_are_no_state(bench: MakeBench, tmp_path: Path) -> None:
    """A list of tensors stands in no ``state_dict`` and no buffer."""
    (tmp_path / "net.py").write_text(HEADER + "from typing import List\n" + SCRIPT, encoding="utf-8")
    keys = []
    for value in (2.0, 3.0):
        text = HEADER + SCRIPT + f"def build():\n    return torch.jit.script(Net([torch.tensor({value})]))\n"
        (tmp_path / "net.py").write_text(text, encoding="utf-8")
        sys.modules.pop(next((n for n in sys.modules if n.startswith("coreml_gate_user_")), ""), None)
        source = load_source("net.py:build", tmp_path)
        config = ModelConfig(name="net", source="net.py:build", input=X)
        samples = load_samples(config, source, tmp_path, 1)
        task = task_of(source, samples, config, tmp_path)
        keys.append(conversion_key(Captured(source.model), task, "c"))  # type: ignore[arg-type]
    assert keys[0] != keys[1]


def test_a_quantised_constant_cannot_be_read(bench: MakeBench) -> None:
    made = bench("class Net(nn.Module):\n    def forward(self, x):\n        return x * 2\n", input=X)
    with quiet():
        captured = capture("export", made.source, made.samples, made.config)
        program: Any = captured.model
        program.constants["packed"] = torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.quint8)
        task = task_of(made.source, made.samples, made.config, made.folder)
        assert conversion_key(captured, task, "c") is None


def test_models_of_one_file_get_their_own_packages(bench: MakeBench, tmp_path: Path) -> None:
    """The whole way: what the second callable gets from the cache is not the first one's package."""
    cache = ConversionCache(tmp_path / "cache")
    packages = []
    for name in ("Double", "Triple", "Double"):
        made = bench(TWO.format(factor=2), f"net.py:{name}", input=X)
        done = convert(made.source, made.samples, made.config, tmp_path / name, cache=cache, closure="c")
        assert done.package is not None
        packages.append(
            (done.facts.cached, (done.package / "Data/com.apple.CoreML/model.mlmodel").read_bytes())
        )
    assert [cached for cached, _ in packages] == [False, False, True]
    assert packages[0][1] == packages[2][1] != packages[1][1]
