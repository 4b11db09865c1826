import copy
import io
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from coreml_gate.engines.source import Source, load_source, run_source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import SourceError
from tests.engines.conftest import Repository

NET = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            return self.fc(x)

    def build():
        return Net()
"""


def _model(source: Source) -> nn.Module:
    assert isinstance(source.model, nn.Module)
    return source.model


def test_a_file_finds_its_siblings_and_the_repository_root(repository: Repository) -> None:
    repository.write("settings.py", "WIDTH = 3\n")
    repository.write("models/layers.py", "from torch import nn\ndef layer(n): return nn.Linear(4, n)\n")
    repository.write(
        "models/net.py",
        "from layers import layer\nfrom settings import WIDTH\ndef build(): return layer(WIDTH)\n",
    )
    source = load_source("models/net.py:build", repository.root)
    assert source.kind == "module"
    assert [tuple(value.shape) for value in _model(source).state_dict().values()] == [(3, 4), (3,)]


@pytest.mark.parametrize("folder", ["", "src/"])
def test_a_module_is_found_below_the_root_and_below_src(repository: Repository, folder: str) -> None:
    repository.write(f"{folder}orchard/__init__.py", "")
    repository.write(f"{folder}orchard/net.py", NET)
    assert load_source("orchard.net:build", repository.root).input_names == ("x",)


def test_building_is_seeded(repository: Repository) -> None:
    repository.write("net.py", NET)
    first = copy.deepcopy(_model(load_source("net.py:build", repository.root)).state_dict())
    torch.manual_seed(1234)
    second = _model(load_source("net.py:build", repository.root)).state_dict()
    assert torch.equal(first["fc.weight"], second["fc.weight"])


def test_the_module_is_ready_for_inference(repository: Repository) -> None:
    repository.write("net.py", NET)
    model = _model(load_source("net.py:build", repository.root))
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("dtype", ["half", "double", "bfloat16"])
def test_other_precisions_become_float32_with_a_note(repository: Repository, dtype: str) -> None:
    repository.write("net.py", f"from torch import nn\ndef build(): return nn.Linear(2, 2).{dtype}()\n")
    source = load_source("net.py:build", repository.root)
    assert {value.dtype for value in _model(source).parameters()} == {torch.float32}
    name = {"half": "float16", "double": "float64"}.get(dtype, dtype)
    assert source.notes == (f"the source holds {name} values, its reference computes in float32",)


BROKEN = {
    "missing file": ("other.py", "", "net.py:build", "file `net.py` does not exist", "relative to"),
    "other case": ("Nets/Net.py", NET, "nets/net.py:build", "`nets/net.py` does not", "write `Nets/Net.py`"),
    "case of a package": ("Net.mlpackage/x", "", "net.mlpackage", "does not exist", "write `Net.mlpackage`"),
    "missing module": (
        "net.py",
        "import os\nimport nowhere_at_all\n",
        "net.py:build",
        "there is no module `nowhere_at_all` (imported by net.py:2)",
        "install `nowhere_at_all`",
    ),
    "missing attribute": (
        "net.py",
        "def build_net(): pass\n",
        "net.py:buildnet",
        "there is no `buildnet`",
        "perhaps you meant `build_net`",
    ),
    "not callable": ("net.py", "build = 3\n", "net.py:build", "is of type `int`", "name a function"),
    "raises": (
        "net.py",
        "def build():\n    raise ValueError('no weights')\n",
        "net.py:build",
        "raised ValueError: no weights (net.py:2)",
        "",
    ),
    "syntax": ("net.py", "def build(:\n", "net.py:build", "(net.py:1)", ""),
    "exits at import": (
        "net.py",
        "def build(): pass\nraise SystemExit(1)\n",
        "net.py:build",
        "SystemExit: 1 (net.py:2)",
        "",
    ),
    "wrong type": (
        "net.py",
        "def build(): return {'weight': 1}\n",
        "net.py:build",
        "returned a `dict`",
        "torch.nn.Module",
    ),
    "meta device": (
        "net.py",
        "from torch import nn\ndef build(): return nn.Linear(2, 2, device='meta')\n",
        "net.py:build",
        "parameter `weight` is on the meta device",
        "load or initialise",
    ),
    "sparse": (
        "net.py",
        (
            "import torch\nfrom torch import nn\ndef build():\n    net = nn.Linear(2, 2)\n"
            "    net.register_buffer('edges', torch.eye(2).to_sparse())\n    return net\n"
        ),
        "net.py:build",
        "`edges` is torch.sparse_coo",
        "`edges.to_dense()`",
    ),
    "no callable named": ("net.py", "", "net.py", "names no callable", "file.py:callable"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_source_says_where_and_what_to_do(repository: Repository, case: str) -> None:
    name, text, reference, message, hint = BROKEN[case]
    repository.write(name, text)
    with pytest.raises(SourceError) as caught:
        load_source(reference, repository.root)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "Traceback" not in str(caught.value)


def test_exported_program_file(repository: Repository) -> None:
    module = nn.Linear(4, 3).eval()
    torch.export.save(
        torch.export.export(module, (torch.zeros(1, 4),), strict=False), repository.root / "net.pt2"
    )
    source = load_source("net.pt2", repository.root)
    assert (source.kind, source.input_names) == ("exported-program", ("input",))
    x = torch.randn(1, 4)
    assert np.allclose(run_source(source, {"input": x})["output_0"], module(x).detach().numpy())


def test_exported_program_with_keywords_runs_by_name(repository: Repository) -> None:
    class Scale(nn.Module):
        def forward(self, x: torch.Tensor, *, by: torch.Tensor) -> torch.Tensor:
            return x - by

    program = torch.export.export(Scale(), (torch.zeros(3),), {"by": torch.zeros(3)}, strict=False)
    torch.export.save(program, repository.root / "net.pt2")
    source = load_source("net.pt2", repository.root)
    outputs = run_source(source, {"by": torch.full((3,), 2.0), "x": torch.full((3,), 5.0)})
    assert outputs["output_0"].tolist() == [3.0, 3.0, 3.0]


def test_exported_program_in_double_is_refused(repository: Repository) -> None:
    program = torch.export.export(
        nn.Linear(2, 2).double(), (torch.zeros(1, 2, dtype=torch.float64),), strict=False
    )
    torch.export.save(program, repository.root / "net.pt2")
    with pytest.raises(SourceError, match="float64") as caught:
        load_source("net.pt2", repository.root)
    assert "export the module in float32" in caught.value.hint


def test_torchscript_file(repository: Repository) -> None:
    traced: Any = torch.jit.trace(nn.Linear(4, 3).eval(), torch.zeros(1, 4))
    traced.save(str(repository.root / "net.pt"))
    source = load_source("net.pt", repository.root)
    assert (source.kind, source.input_names) == ("torchscript", ("input",))
    assert run_source(source, {"input": torch.ones(1, 4)})["output_0"].shape == (1, 3)


@pytest.mark.parametrize("what", [nn.Linear(2, 2), nn.Linear(2, 2).state_dict()], ids=["module", "weights"])
def test_pickles_are_refused_with_the_way_out(repository: Repository, what: object) -> None:
    torch.save(what, repository.root / "net.pt")
    with pytest.raises(SourceError, match="never unpickled") as caught:
        load_source("net.pt", repository.root)
    assert "torch.export.save" in caught.value.hint


def test_a_file_that_is_no_program(repository: Repository) -> None:
    repository.write("net.pt2", "version https://git-lfs")
    with pytest.raises(SourceError, match="cannot be read as an exported program"):
        load_source("net.pt2", repository.root)


def test_a_package_is_not_loaded_but_has_to_be_one(repository: Repository) -> None:
    repository.write("net.mlpackage/Manifest.json", "{}")
    source = load_source("net.mlpackage", repository.root)
    assert (source.kind, source.path) == ("package", repository.root / "net.mlpackage")
    repository.write("other.mlpackage/readme.txt", "")
    with pytest.raises(SourceError, match=r"no Manifest\.json"):
        load_source("other.mlpackage", repository.root)
    with pytest.raises(SourceError, match="cannot run it"):
        run_source(source, {})


FORMS = {
    "x": ["output_0"],
    "(x, x + 1)": ["output_0", "output_1"],
    "[x, None, x + 1]": ["output_0", "output_2"],
    "{'logits': x, 'cache': None, 'hidden': (x, x)}": ["logits", "hidden_0", "hidden_1"],
    "Pair(x, x)": ["left", "right"],
    "Named(x, None)": ["first"],
    "(x, {'a': x})": ["output_0", "output_1_a"],
}


@pytest.mark.parametrize("form", FORMS)
def test_outputs_are_named_in_order(repository: Repository, form: str) -> None:
    repository.write(
        "net.py",
        f"""
        from collections import namedtuple
        from dataclasses import dataclass
        from torch import Tensor, nn

        @dataclass
        class Pair:
            left: Tensor
            right: Tensor

        Named = namedtuple("Named", ["first", "second"])

        class Net(nn.Module):
            def forward(self, x):
                return {form}
        """,
    )
    source = load_source("net.py:Net", repository.root)
    assert list(run_source(source, {"x": torch.ones(2)})) == FORMS[form]


def test_an_output_that_is_no_tensor_is_refused(repository: Repository) -> None:
    repository.write(
        "net.py",
        """
        from torch import nn
        class Net(nn.Module):
            def forward(self, x):
                return {"logits": x, "label": "cat"}
        """,
    )
    with pytest.raises(SourceError, match="output `label` is of type `str`"):
        run_source(load_source("net.py:Net", repository.root), {"x": torch.ones(2)})


def test_a_failing_run_names_sample_shapes_and_line(repository: Repository) -> None:
    repository.write("net.py", NET)
    source = load_source("net.py:build", repository.root)
    with pytest.raises(SourceError) as caught:
        run_source(source, {"x": torch.zeros(2, 5)}, 3)
    assert "sample 3 (x: float32 [2, 5])" in caught.value.message
    assert "RuntimeError" in caught.value.message
    assert "(net.py:10)" in caught.value.message


def test_every_run_starts_from_the_same_state(repository: Repository) -> None:
    repository.write(
        "net.py",
        """
        import torch
        from torch import nn
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("total", torch.zeros(2))
            def forward(self, x):
                x.mul_(2)
                self.total.add_(x)
                return self.total + torch.rand(2)
        """,
    )
    source = load_source("net.py:Net", repository.root)
    sample = {"x": torch.ones(2)}
    first = run_source(source, sample)["output_0"]
    assert np.array_equal(first, run_source(source, sample)["output_0"])
    assert (first > 2).all()
    assert sample["x"].tolist() == [1.0, 1.0]


RETURNED = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(2))
        self.last = torch.zeros(2)

    def forward(self, x):
        {forward}
"""


@pytest.mark.attack("the model's own code")
@pytest.mark.parametrize(
    "forward",
    [
        "self.total.add_(x); return self.total",
        "self.total.add_(x); return self.total[:1], self.total.view(1, 2)",
        "self.total = self.total + x; return self.total",
        "self.total += x; return {'total': self.total}",
    ],
)
def test_a_state_that_is_returned_is_what_it_became_and_starts_anew(
    repository: Repository, forward: str
) -> None:
    repository.write("net.py", RETURNED.format(forward=forward))
    source = load_source("net.py:Net", repository.root)
    for _ in range(2):
        for output in run_source(source, {"x": torch.full((2,), 3.0)}).values():
            assert set(output.ravel()) == {3.0}
    assert not any(buffer.any() for buffer in source.runnable.buffers())


@pytest.mark.attack("the model's own code")
def test_an_answer_does_not_change_with_the_next_one(repository: Repository) -> None:
    repository.write("net.py", RETURNED.format(forward="self.last.copy_(x); return self.last"))
    source = load_source("net.py:Net", repository.root)
    first = run_source(source, {"x": torch.ones(2)})["output_0"]
    assert run_source(source, {"x": torch.zeros(2)})["output_0"].tolist() == [0.0, 0.0]
    assert first.tolist() == [1.0, 1.0]


@pytest.mark.attack("the model's own code")
def test_what_the_users_code_sets_for_its_process_does_not_last(repository: Repository) -> None:
    before = np.geterr()
    lines = ["np.seterr(all='raise')", "torch.set_default_device('meta')"]
    repository.write(
        "net.py", "\n".join(["import numpy as np", "import torch", *lines, "Net = torch.nn.ReLU"])
    )
    load_source("net.py:Net", repository.root)
    assert np.geterr() == before
    assert torch.zeros(1).device.type == "cpu"


@pytest.mark.attack("the model's own code")
@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("x.to_sparse()", "output `output_0` holds no plain numbers: unsupported memory format"),
        ("x.to('meta')", "output `output_0` holds no plain numbers: Cannot copy out of meta tensor"),
        ("torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)", "output `output_0` holds no plain numbers: "),
        ("torch.nested.nested_tensor([x, x[:1]])", "output `output_0` holds no plain numbers: "),
        ("{'\\ud800': x}", r"the name of output '\ud800' is not text"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # of torch, about what is new or old
def test_what_is_no_output_is_refused_by_its_name(repository: Repository, returned: str, said: str) -> None:
    """Each of them was a crash of the child, and `undo it before the model returns` the way out."""
    repository.write("net.py", NET_THAT_RETURNS.format(returned))
    with pytest.raises(SourceError) as raised:
        run_source(load_source("net.py:Net", repository.root), {"x": torch.ones(2)})
    assert said in raised.value.message


@pytest.mark.attack("the model's own code")
@pytest.mark.parametrize("returned", ["(x, x)[: int(x[0])]", "{f'y{int(x[0])}': x}"])
def test_other_outputs_than_before_are_refused(repository: Repository, returned: str) -> None:
    """A list that grows was a crash of the child by `KeyError: 'output_1'`."""
    repository.write("net.py", NET_THAT_RETURNS.format(returned))
    engine = SourceEngine(load_source("net.py:Net", repository.root))
    engine.run({"x": torch.ones(2)})
    with pytest.raises(SourceError, match=r"returns .* for sample 3, and .* before"):
        replace(engine, side="source").run({"x": torch.full((2,), 2.0)}, 3)


@pytest.mark.attack("the model's own code")
def test_a_fork_of_the_users_code_does_not_go_on_as_a_second_gate(repository: Repository) -> None:
    """Both went on, into one folder: `Manifest.json is missing`, now and then."""
    repository.write(
        "forking.py",
        "import os, torch\n\ndef build():\n    torch.fork = os.fork()\n    return torch.nn.ReLU()\n",
    )
    own = os.getpid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of forks beside threads
        load_source("forking.py:build", repository.root)
    assert os.getpid() == own
    assert os.waitstatus_to_exitcode(os.waitpid(torch.__dict__.pop("fork"), 0)[1]) == 1


@pytest.mark.attack("the model's own code")
def test_a_stream_that_the_users_code_closes_is_open_for_libraries(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export route failed for it, and another one converted."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)
    repository.write(
        "closing.py",
        "import sys\nfrom torch.nn import ReLU\ndef build():\n    sys.stdout.close()\n    return ReLU()\n",
    )
    load_source("closing.py:build", repository.root)
    with sys.stdout as stream:
        assert stream.write("goes on")
    assert stream.name == os.devnull


@pytest.mark.attack("the model's own code")
def test_a_process_without_folder_path_or_stream_is_given_them_again(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child crashed later, in libraries that print, import or make a path absolute."""
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    before = {*sys.path}
    monkeypatch.setattr(sys, "path", [*before])
    monkeypatch.chdir(repository.root)
    lines = ["sys.stdout = object()", "sys.path = []", "os.mkdir('gone')", "os.chdir('gone')"]
    repository.write(
        "net.py",
        "\n".join(["import os, sys, torch", *lines, "os.rmdir(os.getcwd())", "Net = torch.nn.ReLU"]),
    )
    load_source("net.py:Net", repository.root)
    with sys.stdout as stream:
        assert stream.write("goes on")
    assert before <= set(sys.path)
    assert Path.cwd() == repository.root.resolve()


@pytest.mark.attack("the model's own code")
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("BaseException): pass", "raised Odd: too odd (odd.py:3)"),
        ("Exception): pass", "raised Odd: too odd (odd.py:3)"),
        ("Exception): __str__ = lambda self: 1 // 0", "raised Odd: (its text cannot be had: Zero"),
    ],
)
def test_whatever_the_users_code_raises_is_named(repository: Repository, kind: str, text: str) -> None:
    """Those that are no plain exceptions were a crash of the child, with exit code 1."""
    repository.write("odd.py", f"class Odd({kind}\ndef build():\n    raise Odd('too odd')\n")
    with pytest.raises(SourceError) as raised:
        load_source("odd.py:build", repository.root)
    assert text in raised.value.message


NET_THAT_RETURNS = """
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        return {}
"""
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 52000000\n"


def test_a_source_in_git_lfs_that_was_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_text(POINTER)
    with pytest.raises(SourceError) as raised:
        load_source("net.pt2", tmp_path)
    assert raised.value.message == "`net.pt2` is a Git LFS pointer: its 52.0 MB were not fetched."
    assert "git lfs pull" in raised.value.hint


def test_weights_in_git_lfs_that_the_source_loads(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_text(POINTER)
    text = f"import torch\ndef build():\n    torch.load({str(tmp_path / 'weights.pt')!r})\n"
    (tmp_path / "lfs_net.py").write_text(text)
    with pytest.raises(SourceError) as raised:
        load_source("lfs_net.py:build", tmp_path)
    assert "git lfs pull" in raised.value.hint


def test_torchscript_by_another_suffix(tmp_path: Path) -> None:
    script = torch.jit.trace(torch.nn.ReLU(), torch.zeros(1))  # type: ignore[no-untyped-call]
    script.save(str(tmp_path / "net.jit"))
    assert load_source("net.jit", tmp_path).kind == "torchscript"


@pytest.mark.parametrize(("module", "name"), [("sklearn.svm", "scikit-learn"), ("nowhere_b.c", "nowhere_b")])
def test_a_missing_module_is_named_as_it_is_installed(tmp_path: Path, module: str, name: str) -> None:
    (tmp_path / "missing_net.py").write_text(f"raise ModuleNotFoundError('', name={module!r})\n")
    with pytest.raises(SourceError) as raised:
        load_source("missing_net.py:build", tmp_path)
    assert f"install `{name}` in this environment" in raised.value.hint
