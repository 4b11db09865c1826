"""What belongs to a model, in small trees written for each case."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from coreml_gate.config import ModelConfig
from coreml_gate.gate.closure import Closure, Closures, content


def write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def closure(
    root: Path, files: Mapping[str, str], source: str, samples: str | None = None, evaluate: str | None = None
) -> Closure:
    write(root, files)
    return Closures(root).of(ModelConfig(name="model", source=source, samples=samples, evaluate=evaluate))


@pytest.mark.attack("what changed")
@pytest.mark.parametrize(
    ("files", "source", "expected"),
    [
        pytest.param(
            {"m/net.py": "import layers, torch", "m/layers.py": "", "other.py": ""},
            "m/net.py:build",
            {"m/net.py", "m/layers.py"},
            id="a script's own folder",
        ),
        pytest.param(
            {"m/net.py": "from shop.nn import blocks", "shop/__init__.py": "import log", "log.py": "",
             "shop/nn/__init__.py": "", "shop/nn/blocks.py": "", "shop/nn/unused.py": ""},
            "m/net.py:build",
            {"m/net.py", "shop/__init__.py", "log.py", "shop/nn/__init__.py", "shop/nn/blocks.py"},
            id="packages, their parents and a submodule by from-import",
        ),
        pytest.param(
            {"src/shop/__init__.py": "", "src/shop/net.py": "from .a import x\nfrom . import b",
             "src/shop/a.py": "from .c.d import y", "src/shop/b.py": "", "src/shop/c/d.py": ""},
            "shop.net:build",
            {"src/shop/__init__.py", "src/shop/net.py", "src/shop/a.py", "src/shop/b.py", "src/shop/c/d.py"},
            id="a module in src, relative imports, a namespace package",
        ),
        pytest.param(
            {"net.py": "def f():\n  import a\nif X:\n  import b\nimport_module('p.c')\nimport_module(name)",
             "a.py": "import net", "b.py": "", "p/c.py": ""},
            "net.py:build",
            {"net.py", "a.py", "b.py", "p/c.py"},
            id="late, conditional, by literal name, in a circle",
        ),
        pytest.param(
            {"net.py": "def f(:\nimport a", "a.py": ""},
            "net.py:build",
            {"net.py", "a.py"},
            id="a syntax error",
        ),
        pytest.param(
            {"m/__init__.py": "import registry", "registry.py": "", "m/net.py": ""},
            "m/net.py:build",
            {"m/net.py"},
            id="a script does not run its folder's __init__",
        ),
        pytest.param({"w/net.pt2": "", "w/net.py": ""}, "./w/net.pt2", {"w/net.pt2"}, id="a data file"),
    ],
)  # fmt: skip
def test_files(tmp_path: Path, files: dict[str, str], source: str, expected: set[str]) -> None:
    assert closure(tmp_path, files, source).files == expected


def test_samples_and_metric_belong_to_the_model(tmp_path: Path) -> None:
    files = {"net.py": "", "data/rows.py": "import reader", "data/reader.py": "", "shop/metric.py": ""}
    found = closure(
        tmp_path, files, "net.py:build", samples="data/rows.py:rows", evaluate="shop.metric:accuracy"
    )
    assert found.files == {*files}


def test_what_was_looked_for_in_vain_is_known(tmp_path: Path) -> None:
    files = {"m/net.py": "import torch.nn\nfrom shop import a", "shop/__init__.py": "", "gone.py": ""}
    found = closure(tmp_path, files, "m/net.py:build", samples="rows.npz")
    assert found.absent >= {
        "m/torch.py",
        "m/torch",
        "torch.py",
        "src/torch",
        "m/shop.py",
        "shop/a.py",
        "rows.npz",
    }
    assert not found.absent & {"shop/__init__.py", "torch/nn.py"}


def test_a_namesake_in_another_root_is_followed_too(tmp_path: Path) -> None:
    files = {
        "m/net.py": "import tools",
        "m/tools.py": "import a",
        "tools.py": "import b",
        "a.py": "",
        "b.py": "",
    }
    assert closure(tmp_path, files, "m/net.py:build").files == {*files}


def test_models_with_folders_of_their_own_do_not_mix(tmp_path: Path) -> None:
    write(tmp_path, {"shared.py": "import layers", "a/net.py": "import shared", "b/net.py": "import shared"})
    write(tmp_path, {"a/layers.py": "", "b/layers.py": ""})
    closures = Closures(tmp_path)
    found = [closures.of(ModelConfig(name=name, source=f"{name}/net.py:build")).files for name in "ab"]
    assert found == [{"shared.py", "a/net.py", "a/layers.py"}, {"shared.py", "b/net.py", "b/layers.py"}]


def test_content_changes_with_bytes_and_names_only(tmp_path: Path) -> None:
    def digest(name: str, files: Mapping[str, str]) -> str:
        found = closure(tmp_path / name, files, "net.py:build", samples="w.mlpackage")
        return content(tmp_path / name, found)

    files = {"net.py": "import a", "a.py": "1", "w.mlpackage/weights.bin": "2", "unrelated.py": "3"}
    first = digest("first", files)
    assert digest("same", {**files, "unrelated.py": "4"}) == first
    assert digest("code", {**files, "a.py": "2"}) != first
    assert digest("data", {**files, "w.mlpackage/weights.bin": "3"}) != first
    assert digest("appeared", {**files, "src/a.py": "1"}) != first


def link(root: Path, links: Mapping[str, str]) -> None:
    for path, target in links.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)


@pytest.mark.attack("what changed")
@pytest.mark.parametrize(
    ("files", "links", "source", "behind"),
    [
        (["new/net.py"], {"m/net.py": "../new/net.py"}, "m/net.py:build", {"m/net.py", "new/net.py"}),
        (["v2/m/net.py"], {"m": "v2/m"}, "m/net.py:build", {"m", "v2/m/net.py"}),
        (["c/net.py"], {"a": "b", "b": "./c/../c"}, "a/net.py:build", {"a", "b", "c/net.py"}),
        (
            ["x/y/net.py", "x/z.py"],
            {"m/deep": "../x/y", "m/net.py": "deep/../z.py"},
            "m/net.py:build",
            {"m/net.py", "m/deep", "x/z.py"},
        ),
        (["w2/Data/model.mlmodel"], {"net.mlpackage": "w2"}, "net.mlpackage", {"net.mlpackage", "w2"}),
        ([], {"net.pt2": "lfs/net.pt2"}, "net.pt2", {"net.pt2", "lfs/net.pt2"}),
    ],
    ids=["a file", "a folder", "a link to a link", "dots leave a link's target", "a package", "dangling"],
)  # fmt: skip
def test_what_a_link_leads_to_belongs_to_the_model(
    tmp_path: Path, files: list[str], links: dict[str, str], source: str, behind: set[str]
) -> None:
    link(tmp_path, links)
    assert closure(tmp_path, dict.fromkeys(files, ""), source).behind >= behind


@pytest.mark.attack("what changed")
def test_a_linked_script_imports_from_the_folder_of_its_target(tmp_path: Path) -> None:
    link(tmp_path, {"m/net.py": "../shared/net.py"})
    found = closure(tmp_path, {"shared/net.py": "import layers", "shared/layers.py": ""}, "m/net.py:build")
    assert "shared/layers.py" in found.files


@pytest.mark.attack("what changed")
def test_an_absolute_link_into_the_tree_is_found_and_one_out_of_it_ends_outside(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    link(root, {"m/net.py": str(root / "shared.py"), "rows.npz": "../../rows.npz"})
    (tmp_path.parent / "rows.npz").write_text("1")
    found = closure(root, {"shared.py": ""}, "m/net.py:build", samples="rows.npz")
    assert found.ends == {"shared.py", "../../rows.npz"}
    (tmp_path.parent / "rows.npz").unlink()


@pytest.mark.attack("what changed")
@pytest.mark.parametrize(
    ("links", "source"),
    [
        ({"net.py": "net.py"}, "net.py:build"),
        ({"a.py": "b.py", "b.py": "a.py"}, "a.py:build"),
        ({"m/self": "../m", "m/net.py": "self/self/net.py"}, "m/net.py:build"),
        ({"src": "src"}, "shop.net:build"),
        ({"net.mlpackage": "net.mlpackage"}, "net.mlpackage"),
    ],
)
def test_a_circle_of_links_holds_nothing(tmp_path: Path, links: dict[str, str], source: str) -> None:
    link(tmp_path, links)
    found = closure(tmp_path, {}, source)
    assert found.files == frozenset()
    assert content(tmp_path, found)


@pytest.mark.attack("what changed")
def test_a_folder_that_holds_itself_is_read_once(tmp_path: Path) -> None:
    link(tmp_path, {"net.mlpackage/again": ".", "net.mlpackage/Data": "../data"})
    found = closure(tmp_path, {"data/weights.bin": "1"}, "net.mlpackage")
    assert found.ends == {"data/weights.bin"}


@pytest.mark.attack("what changed")
def test_a_linked_folder_counts_in_the_content(tmp_path: Path) -> None:
    link(tmp_path, {"net.mlpackage/Data": "../data"})
    found = closure(tmp_path, {"data/weights.bin": "1"}, "net.mlpackage")
    before = content(tmp_path, found)
    write(tmp_path, {"data/weights.bin": "2"})
    assert content(tmp_path, found) != before


@pytest.mark.attack("what changed")
def test_what_cannot_be_listed_or_read_ends_nothing(tmp_path: Path) -> None:
    long = "n" * 300
    found = closure(
        tmp_path, {"net.py": f"import {long}, a\x00b\nfrom {long}.{long} import x"}, "net.py:build"
    )
    assert found.files == {"net.py"}


def test_the_teams_conversion_belongs_to_the_model(tmp_path: Path) -> None:
    files = {
        "net.py": "",
        "tools/export.py": "import names",
        "tools/names.py": "",
        "make.py": "import shared",
    }
    write(tmp_path, files | {"shared.py": "", "export.sh": "", "Net.mlpackage/Manifest.json": "{}"})
    called = ModelConfig(name="a", source="net.py:Net", convert="tools/export.py:to_coreml")
    assert Closures(tmp_path).of(called).files == {"net.py", "tools/export.py", "tools/names.py"}
    build = ("python", "make.py", "--script", "export.sh")
    built = ModelConfig(name="b", source="net.py:Net", package="Net.mlpackage", build=build)
    expected = {"net.py", "make.py", "shared.py", "export.sh", "Net.mlpackage"}
    assert Closures(tmp_path).of(built).files == expected


@pytest.mark.attack("bombs")
@pytest.mark.parametrize("bomb", ['\\"', "'\\", "\"'", "\\'x", '"a'])
def test_quotes_without_an_end_are_read_once(tmp_path: Path, bomb: str) -> None:
    """A line of 1 MB would have taken hours: from each quote on, it was read to its end."""
    write(tmp_path, {"net.py": f"x = '{bomb * 250_000}\nload('rows.npz')\n", "rows.npz": "", "other.npz": ""})
    closures = Closures(tmp_path, frozenset({"rows.npz", "other.npz"}))
    started = time.process_time()
    own = closures.of(ModelConfig(name="model", source="net.py:build"))
    assert closures.perhaps_read(own, measured=False) == ("rows.npz",)
    assert time.process_time() - started < 10


SEARCHES = (
    "pkgutil.iter_modules(p)",
    "walk_packages(p)",
    "glob(p)",
    "iglob(p)",
    "p.rglob('*')",
    "p.iterdir()",
    "os.listdir(p)",
    "os.scandir(p)",
    "os.walk(p)",
    "p.with_suffix(s)",
    "p.with_stem(s)",
    "p.with_name(s)",
    "import_module(p)",
    "__import__(p)",
    "spec_from_file_location(n, p)",
    "run_path(p)",
    "run_module(p)",
)


@pytest.mark.parametrize("others", [0, 40], ids=["few words", "many words"])
@pytest.mark.parametrize("call", SEARCHES)
def test_code_that_searches_folders_may_read_what_is_below_its_own(
    tmp_path: Path, call: str, others: int
) -> None:
    write(tmp_path, {"a/net.py": f"x = {call}\n", "a/rows.npz": "", "b/net.py": "x = glob_\n"})
    unread = (f"b/other{number}.npz" for number in range(others))
    closures = Closures(tmp_path, frozenset({"a/rows.npz", "b/rows.npz", *unread}))
    for folder, found in (("a", ("a/rows.npz",)), ("b", ())):
        own = closures.of(ModelConfig(name="model", source=f"{folder}/net.py:build"))
        assert closures.perhaps_read(own, measured=False) == found
        assert closures.perhaps_read(own, measured=True) == ()


@pytest.mark.parametrize("others", [0, 40], ids=["few words", "many words"])
def test_a_name_in_a_string_may_be_a_file(tmp_path: Path, others: int) -> None:
    write(tmp_path, {"net.py": "x = load('data/rows.v1.npz')  # spare.npz\nother = 1\n"})
    unread = (f"b/other{number}.npz" for number in range(others))
    closures = Closures(tmp_path, frozenset({"far/rows.v1.npz", "spare.npz", "other.npz", *unread}))
    own = closures.of(ModelConfig(name="model", source="net.py:build"))
    assert closures.perhaps_read(own, measured=True) == ("far/rows.v1.npz",)
    assert closures.perhaps_read(own, measured=False) == ("far/rows.v1.npz",)
