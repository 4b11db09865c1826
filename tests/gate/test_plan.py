"""Which models become jobs, in real repositories."""

import pytest

from coreml_gate.config.load import parse_config
from coreml_gate.errors import DirtyTreeError, MissingCommitError
from coreml_gate.gate.git import short
from coreml_gate.gate.plan import Plan, plan
from tests.gate.conftest import Folder

CONFIG = """
[[model]]
name = "digits"
source = "models/digits.py:build"
watch = ["data/**"]

[[model]]
name = "words"
source = "shop.words:build"
samples = "rows.npz"
"""
FILES = {
    "coreml-gate.toml": CONFIG,
    "models/digits.py": "import layers",
    "models/layers.py": "",
    "src/shop/words.py": "from . import text",
    "src/shop/text.py": "",
    "rows.npz": "1",
    "data/vocabulary/en.txt": "1",
    "readme.md": "",
    "uv.lock": "1",
    "requirements-dev.txt": "1",
    "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["torch"]\n[tool.ruff]\nline-length = 80\n',
}


@pytest.fixture
def shop(folder: Folder) -> Folder:
    folder.commit(FILES)
    return folder


def planned(folder: Folder, base: str | None = "HEAD~1", *, allow_dirty: bool = False) -> Plan:
    text = (folder.root / "coreml-gate.toml").read_text()
    return plan(folder.repository, parse_config(text, "coreml-gate.toml"), base, allow_dirty=allow_dirty)


def reasons(found: Plan) -> dict[str, str]:
    return {job.name: job.reason for job in found.jobs}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"models/layers.py": "2"}, {"digits": "files changed: `models/layers.py`"}),
        ({"src/shop/text.py": None}, {"words": "files changed: `src/shop/text.py`"}),
        ({"text.py": "unrelated"}, {}),
        ({"layers.py": "a namesake"}, {"digits": "files changed: `layers.py`"}),
        ({"rows.npz": "2"}, {"words": "files changed: `rows.npz`"}),
        ({"data/vocabulary/en.txt": "2"}, {"digits": "watched files changed: `data/vocabulary/en.txt`"}),
        ({"data/new/de.txt": "2"}, {"digits": "watched files changed: `data/new/de.txt`"}),
        ({"readme.md": "2"}, {}),
        ({"coreml-gate.toml": CONFIG + "# a comment\n"}, {}),
        ({"coreml-gate.toml": CONFIG + 'precision = "float32"\n'}, {"words": "options changed: `precision`"}),
        ({"coreml-gate.toml": CONFIG + "limits.size.max-mb = 9\n"}, {"words": "limits changed"}),
        ({"coreml-gate.toml": CONFIG + 'watch = ["x"]\n'}, {}),
        (
            {"coreml-gate.toml": "[gate]\nmax-samples = 2\nfail-on-unsure = true\n" + CONFIG},
            {"digits": "options changed: `max-samples`", "words": "options changed: `max-samples`"},
        ),
        (
            {"coreml-gate.toml": "[gate]\nfail-on-unsure = true\n" + CONFIG},
            {},
        ),
        (
            {"coreml-gate.toml": CONFIG.replace('"words"', '"texts"')},
            {"texts": "new model"},
        ),
        (
            {"uv.lock": "2", "requirements-dev.txt": None, "models/digits.py": ""},
            {
                "digits": "toolchain changed: `requirements-dev.txt`, `uv.lock`; "
                "files changed: `models/digits.py`",
                "words": "toolchain changed: `requirements-dev.txt`, `uv.lock`",
            },
        ),
        ({"pyproject.toml": FILES["pyproject.toml"].replace("80", "90")}, {}),
        (
            {"pyproject.toml": FILES["pyproject.toml"].replace("torch", "torch>=2")},
            {"digits": "toolchain changed: `pyproject.toml`", "words": "toolchain changed: `pyproject.toml`"},
        ),
    ],
)
def test_reasons(shop: Folder, change: dict[str, str | None], expected: dict[str, str]) -> None:
    shop.commit(change)
    found = planned(shop)
    assert reasons(found) == expected
    assert len(found.skipped) + len(found.jobs) == 2


def test_a_skipped_model_says_since_when_nothing_changed(shop: Folder) -> None:
    base = shop.git("rev-parse", "HEAD")
    head = shop.commit({"models/layers.py": "2"})
    found = planned(shop)
    assert (found.base, found.head, found.dirty) == (base, head, False)
    assert [(model.name, model.reason) for model in found.skipped] == [
        ("words", f"none of its 3 files changed since {short(base)}")
    ]


def test_without_a_base_every_model_is_a_job(shop: Folder) -> None:
    found = planned(shop, None)
    assert reasons(found) == {"digits": "no base given", "words": "no base given"}
    assert found.base is None


def test_what_only_the_base_changed_is_no_change(shop: Folder) -> None:
    shop.git("checkout", "--quiet", "-b", "topic")
    shop.commit({"models/layers.py": "2"})
    shop.git("checkout", "--quiet", "main")
    shop.commit({"src/shop/text.py": "2"})
    shop.git("checkout", "--quiet", "topic")
    assert set(reasons(planned(shop, "main"))) == {"digits"}


def test_a_package_changes_with_any_file_in_it(folder: Folder) -> None:
    config = '[[model]]\nname = "net"\nsource = "net.mlpackage"\n'
    folder.commit({"coreml-gate.toml": config, "net.mlpackage/Data/model.mlmodel": "1"})
    folder.commit({"net.mlpackage/Data/weights.bin": "2"})
    assert reasons(planned(folder)) == {"net": "files changed: `net.mlpackage`"}


def test_a_submodule_changes_what_is_imported_from_it(shop: Folder, folder: Folder) -> None:
    shop.git("init", "--quiet", str(shop.root / "vendor"))
    vendor = Folder(shop.root / "vendor", shop.environ)
    vendor.commit({"blocks.py": "1"})
    shop.commit({"models/layers.py": "from vendor import blocks"})
    vendor.commit({"blocks.py": "2"})
    shop.commit({})
    assert reasons(planned(shop)) == {"digits": "files changed: `vendor`"}


def test_every_model_is_new_where_the_base_has_no_configuration(folder: Folder) -> None:
    base = folder.commit({"readme.md": ""})
    folder.commit(FILES)
    assert reasons(planned(folder))["words"].startswith(f"new: {short(base)} has no configuration")


def test_a_configuration_that_moved_is_compared_all_the_same(shop: Folder) -> None:
    tables = CONFIG.replace("[[model]]", "[[tool.coreml-gate.model]]")
    text = FILES["pyproject.toml"] + tables
    shop.commit({"coreml-gate.toml": None, "pyproject.toml": text})
    config = parse_config(text, "pyproject.toml")
    assert plan(shop.repository, config, "HEAD~1", config_path="pyproject.toml").jobs == ()


def test_a_malformed_base_configuration_stops_nothing(shop: Folder) -> None:
    base = shop.commit({"coreml-gate.toml": "[[model]"})
    shop.commit({"coreml-gate.toml": CONFIG})
    assert reasons(planned(shop))["digits"] == f"the configuration at {short(base)} cannot be read"


def test_a_dirty_tree_counts_only_where_that_is_allowed(shop: Folder) -> None:
    shop.write({"models/layers.py": "2", "layers.py": "untracked namesake"})
    with pytest.raises(DirtyTreeError, match=r"`models/layers.py`"):
        planned(shop, "HEAD")
    found = planned(shop, "HEAD", allow_dirty=True)
    assert reasons(found) == {"digits": "files changed: `layers.py`, `models/layers.py`"}
    assert found.dirty


def test_a_base_that_is_not_here_is_an_error(shop: Folder) -> None:
    with pytest.raises(MissingCommitError, match="commit `gone` is not in this clone"):
        planned(shop, "gone")
