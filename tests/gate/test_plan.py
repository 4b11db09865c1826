"""Which models become jobs, in real repositories."""

import hashlib
import posixpath

import pytest

from coreml_gate.config.load import parse_config
from coreml_gate.errors import DirtyTreeError, MissingCommitError
from coreml_gate.gate.plan import Plan, make_plan, plan
from coreml_gate.gate.request import Request
from coreml_gate.wording import short
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


def planned(folder: Folder, base: str = "HEAD~1", *, allow_dirty: bool = False) -> Plan:
    text = (folder.root / "coreml-gate.toml").read_text()
    return plan(folder.repository, parse_config(text, "coreml-gate.toml"), base, allow_dirty=allow_dirty)


def reasons(found: Plan) -> dict[str, str]:
    return {job.name: job.reason for job in found.jobs}


@pytest.mark.attack("what changed")
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
        ("words", f"unchanged since {short(base)}")
    ]


def planned_without_a_base(folder: Folder) -> Plan:
    request = Request(folder.root, folder.root / "out")
    text = (folder.root / "coreml-gate.toml").read_text()
    return make_plan(request, parse_config(text, "coreml-gate.toml"), folder.repository)


def test_without_a_base_every_model_is_a_job(shop: Folder) -> None:
    found = planned_without_a_base(shop)
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


PINS = '[gate]\ntoolchain = ["pins.txt"]\n'
HERE = "import pathlib\nHERE = pathlib.Path(__file__).parent\n"


@pytest.mark.attack("what changed")
@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("scale = json.loads((HERE / 'scale.json').read_text())", "models/scale.json"),
        ("weights = os.path.join(HERE, '..', 'weights', \"net.safetensors\")", "weights/net.safetensors"),
        ("def main(config_path='../conf', config_name='net'): pass", "conf/net.yaml"),
        ("load(f'weights/{NAME}.npz')", "weights/net.npz"),
        ("rows = glob.glob('rows/*.npz')", "rows/a.npz"),
        ("rows = HERE.with_suffix('.bin').read_bytes()", "models/digits.bin"),
        ("runpy.run_path('models/part.py')", "models/part.py"),
        ("load('blocks')  # importlib.import_module", "models/blocks.py"),
        ("importlib.import_module('models.' + name)", "models/blocks.py"),
        ("for each in pkgutil.iter_modules(__path__): pass", "models/plugins/a.py"),
    ],
)
def test_what_a_model_may_read_is_a_change_until_a_record_says_what_it_reads(
    shop: Folder, code: str, changed: str
) -> None:
    """Without a Record, only what was imported by a plain name counted: the others were not measured."""
    shop.commit({"models/digits.py": HERE + code, changed: "1", "docs/a.md": "1", "tests/test_it.py": "1"})
    shop.commit({"docs/a.md": "2", "tests/test_it.py": "2"})
    assert reasons(planned(shop)) == {}
    shop.commit({changed: "2"})
    assert reasons(planned(shop)) == {"digits": f"files changed that its code may read: `{changed}`"}
    read = {"digits": ("models/digits.py",)}
    config = parse_config(CONFIG, "coreml-gate.toml")
    known = plan(shop.repository, config, "HEAD~1", opened=read).jobs
    assert bool(known) == (posixpath.basename(changed) in code)


@pytest.mark.attack("what changed")
def test_a_file_that_was_looked_for_in_vain_is_a_change_when_it_appears(shop: Folder) -> None:
    """No Record has it, because nothing was opened."""
    code = "if (HERE / 'override.json').exists(): load('override.json')"
    shop.commit({"models/digits.py": HERE + code})
    shop.commit({"models/override.json": "1"})
    read = {"digits": ("models/digits.py",)}
    found = plan(shop.repository, parse_config(CONFIG, "coreml-gate.toml"), "HEAD~1", opened=read)
    assert reasons(found) == {"digits": "files changed that its code may read: `models/override.json`"}


@pytest.mark.attack("what changed")
@pytest.mark.parametrize(
    ("before", "after", "changed", "reason"),
    [
        (CONFIG, CONFIG.replace("data/**", "x"), "data/vocabulary/en.txt", "watched files changed"),
        (PINS, PINS.replace("pins.txt", "x"), "pins.txt", "toolchain changed"),
        (PINS, "", "pins.txt", "toolchain changed"),
    ],
)
def test_what_the_base_watches_counts_though_the_change_no_longer_does(
    shop: Folder, before: str, after: str, changed: str, reason: str
) -> None:
    """A change could take a file from the list, and then change the file unmeasured."""
    models = "" if before is CONFIG else CONFIG
    shop.commit({"coreml-gate.toml": before + models, changed: "1"})
    shop.commit({"coreml-gate.toml": after + models, changed: "2"})
    assert reasons(planned(shop))["digits"] == f"{reason}: `{changed}`"


@pytest.mark.attack("what changed")
@pytest.mark.parametrize(
    "changed",
    ["pins/torch.txt", "pins/all.txt", "requirements/base.in", "pdm.lock", "Pipfile.lock", "environment.yml"],
)
def test_whatever_pins_versions_changes_every_model(shop: Folder, changed: str) -> None:
    """Also a file that one of the requirements names."""
    named = {"requirements.txt": "torch\n-c pins/all.txt\n", "pins/all.txt": "--requirement=torch.txt # 1\n"}
    shop.commit(named | {"pins/torch.txt": "torch==2.1"} | {changed: "torch==2.2\n-r torch.txt\n"})
    shop.commit({changed: "torch==2.3\n-r torch.txt\n"})
    assert reasons(planned(shop)) == dict.fromkeys(("digits", "words"), f"toolchain changed: `{changed}`")


@pytest.mark.attack("what changed")
def test_what_was_installed_for_the_run_changes_every_model(shop: Folder) -> None:
    """The action installed a file of requirements whose name no pattern has, and nobody was measured."""
    shop.commit({"models/needs.txt": "torch==2.1"})
    shop.commit({"models/needs.txt": "torch==2.2"})
    config = parse_config(CONFIG, "coreml-gate.toml")
    assert planned(shop).jobs == ()
    found = plan(shop.repository, config, "HEAD~1", installed=("models/needs.txt",))
    assert reasons(found) == dict.fromkeys(("digits", "words"), "toolchain changed: `models/needs.txt`")


@pytest.mark.attack("what changed")
@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("# -*- coding: latin-1 -*-\nimport bl\xf6cke\n".encode("latin-1"), "models/bl\xf6cke.py"),
        ("import blo\u0308cke\n".encode(), "models/bl\xf6cke.py"),
        (b"import json\rimport blocks\r", "models/blocks.py"),
    ],
)
def test_an_import_is_seen_in_any_encoding_and_with_any_ends_of_lines(
    shop: Folder, text: bytes, file: str
) -> None:
    shop.commit({file: "1"})
    (shop.root / "models/digits.py").write_bytes(text)
    shop.commit({})
    shop.commit({file: "2"})
    assert reasons(planned(shop)) == {"digits": f"files changed: `{file}`"}


@pytest.mark.attack("what changed")
def test_a_configuration_behind_a_link_is_compared_like_any_other(shop: Folder) -> None:
    """Git gave the target's name as its text: the base had no configuration, so no limit was loosened."""
    shop.commit({"coreml-gate.toml": None, "conf/gate.toml": CONFIG})
    (shop.root / "coreml-gate.toml").symlink_to("conf/gate.toml")
    shop.commit({})
    (shop.root / "coreml-gate.toml").unlink()
    shop.commit({"coreml-gate.toml": CONFIG + "limits.size.max-mb = 9\n"})
    assert reasons(planned(shop)) == {"words": "limits changed"}


@pytest.mark.attack("what changed")
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


LINKED = '[[model]]\nname = "net"\nsource = "models/net.py:build"\nsamples = "rows.npz"\n'


def linked(folder: Folder, links: dict[str, str], files: dict[str, str | None]) -> Folder:
    for path, target in links.items():
        (folder.root / path).parent.mkdir(parents=True, exist_ok=True)
        (folder.root / path).symlink_to(target)
    folder.commit({"coreml-gate.toml": LINKED, **files})
    return folder


@pytest.mark.attack("what changed")
@pytest.mark.parametrize(
    ("links", "files", "changed"),
    [
        ({"models/net.py": "../v2/net.py"}, {"v2/net.py": "1", "rows.npz": ""}, "v2/net.py"),
        ({"models": "v2/models"}, {"v2/models/net.py": "1", "rows.npz": ""}, "v2/models/net.py"),
        ({"models": "v2"}, {"v2/net.py": "import a", "v2/a.py": "1", "rows.npz": ""}, "v2/a.py"),
        ({"models": "v2"}, {"v2/net.py": "import a", "rows.npz": ""}, "v2/a.py"),
        ({"rows.npz": "data/rows.npz"}, {"models/net.py": "", "data/rows.npz": "1"}, "data/rows.npz"),
        ({"rows.npz": "data/rows.npz"}, {"models/net.py": ""}, "data/rows.npz"),
    ],
)
def test_a_changed_target_of_a_link_is_a_change(
    folder: Folder, links: dict[str, str], files: dict[str, str | None], changed: str
) -> None:
    linked(folder, links, files)
    folder.commit({"readme.md": "unrelated"})
    assert reasons(planned(folder)) == {}
    folder.commit({changed: "2"})
    assert reasons(planned(folder)) == {"net": f"files changed: `{changed}`"}


@pytest.mark.attack("what changed")
def test_a_link_that_points_elsewhere_is_a_change(folder: Folder) -> None:
    linked(folder, {"models": "v1"}, {"v1/net.py": "", "v2/net.py": "", "rows.npz": ""})
    (folder.root / "models").unlink()
    (folder.root / "models").symlink_to("v2")
    folder.commit({})
    assert reasons(planned(folder)) == {"net": "files changed: `models`"}


@pytest.mark.attack("what changed")
def test_a_submodule_behind_a_link_and_one_that_git_is_told_to_ignore(folder: Folder) -> None:
    folder.git("init", "--quiet", str(folder.root / "vendor"))
    vendor = Folder(folder.root / "vendor", folder.environ)
    vendor.commit({"net.py": "1"})
    ignored = '[submodule "vendor"]\n\tpath = vendor\n\turl = ./vendor\n\tignore = all\n'
    linked(folder, {"models": "vendor"}, {"rows.npz": "", ".gitmodules": ignored})
    folder.commit({"readme.md": "unrelated"})
    assert reasons(planned(folder)) == {}
    vendor.commit({"net.py": "2"})
    folder.git("add", "--force", "vendor")
    folder.commit({})
    assert reasons(planned(folder)) == {"net": "files changed: `vendor`"}


@pytest.mark.attack("what changed")
def test_an_lfs_pointer_whose_content_moved_is_a_change(folder: Folder) -> None:
    def pointer(content: str) -> str:
        digest = hashlib.sha256(content.encode()).hexdigest()
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 1\n"

    linked(folder, {}, {"models/net.py": "", "rows.npz": pointer("1"), ".gitattributes": "*.npz filter=lfs"})
    folder.commit({"rows.npz": pointer("2")})
    assert reasons(planned(folder)) == {"net": "files changed: `rows.npz`"}


@pytest.mark.attack("what changed")
@pytest.mark.parametrize("ignored", ["rows.npz", "*.npz", "models/blocks.py"])
def test_what_git_does_not_track_is_measured_always(folder: Folder, ignored: str) -> None:
    files = {"models/net.py": "import blocks", "models/blocks.py": "", "rows.npz": "", ".gitignore": ignored}
    linked(folder, {}, dict(files))
    folder.commit({"readme.md": "unrelated"})
    unknown = "rows.npz" if "npz" in ignored else ignored
    assert reasons(planned(folder)) == {"net": f"not tracked by git, so a change would not show: `{unknown}`"}


@pytest.mark.attack("what changed")
def test_a_link_out_of_the_repository_is_measured_always(folder: Folder) -> None:
    (folder.root.parent / "rows.npz").write_text("1")
    linked(folder, {"rows.npz": "../rows.npz"}, {"models/net.py": ""})
    folder.commit({"readme.md": "unrelated"})
    assert reasons(planned(folder)) == {
        "net": "not tracked by git, so a change would not show: `../rows.npz`"
    }


@pytest.mark.attack("what changed")
def test_a_repository_without_commits_plans_like_one_without_a_base(folder: Folder) -> None:
    folder.write(FILES)
    found = planned_without_a_base(folder)
    assert reasons(found) == {"digits": "no base given", "words": "no base given"}
    assert (found.head, found.dirty) == (None, False)
    with pytest.raises(MissingCommitError, match="no commits yet: commit first, or run without `--base`"):
        planned(folder, "main")
