"""Reading the configuration: what a model inherits, and what a user is told."""

import os
from pathlib import Path

import pytest

from coreml_gate.config import Config
from coreml_gate.config.inherit import configured
from coreml_gate.config.load import find_config, load_config, parse_config, select_models
from coreml_gate.errors import ConfigError, UnknownModelError

MODEL = '[[model]]\nname = "digits"\nsource = "models/digits.py:build"\n'


def problem(text: str, name: str = "coreml-gate.toml") -> str:
    with pytest.raises(ConfigError) as raised:
        parse_config(text, name)
    return str(raised.value)


def test_a_model_inherits_what_it_does_not_set() -> None:
    gate = '[gate]\nprecision = "float32"\nconversion = "trace"\nwatch = ["data/**"]\n'
    (model,) = parse_config(gate + MODEL + 'conversion = "export"\n', "coreml-gate.toml").model
    assert (model.precision, model.conversion, model.watch) == ("float32", "export", ("data/**",))
    assert model.deployment_target == "iOS17"


def test_the_teams_own_package_inherits_no_conversion_options() -> None:
    gate = '[gate]\nprecision = "float32"\ncompute-units = "CPU_ONLY"\n'
    (model,) = parse_config(gate + MODEL + "convert = 'export.py:main'\n", "c.toml").model
    assert (model.precision, model.compute_units) == ("float16", "CPU_ONLY")


def test_the_gate_converts_the_variants_of_the_teams_own_package() -> None:
    text = MODEL + "convert = 'export.py:main'\n[[model.variant]]\nname = 'wide'\nprecision = 'float32'\n"
    (model,) = parse_config(text, "c.toml").model
    (variant,) = model.variant
    own = configured(model, variant)
    assert (own.convert, own.precision, own.source) == (None, "float32", model.source)


def test_limits_merge_key_by_key() -> None:
    text = """
[gate.limits]
parity = { max-error = 0.5, top1-margin = 0.25 }
evaluate.accuracy = { max-drop = 0.1, least = 0.9 }
[[model]]
name = "digits"
source = "models/digits.py:build"
[model.limits]
parity.max-error = 0.125
evaluate = { accuracy = { least = 0.5 }, loss = { most = 2 } }
"""
    limits = parse_config(text, "coreml-gate.toml").model[0].limits
    assert (limits.parity.max_error, limits.parity.top1_margin) == (0.125, 0.25)
    assert (limits.evaluate["accuracy"].max_drop, limits.evaluate["accuracy"].least) == (0.1, 0.5)
    assert limits.evaluate["loss"].most == 2


def test_a_model_turns_an_inherited_limit_off() -> None:
    text = "[gate.limits]\nsize.max-mb = 5\n" + MODEL + "limits = { size = { max-mb = false } }\n"
    limits = parse_config(text, "coreml-gate.toml").model[0].limits
    assert (limits.size.max_mb, limits.size.max_ratio) == (None, 1.10)


def test_a_default_written_by_a_model_wins_over_the_gate() -> None:
    config = parse_config('[gate]\nprecision = "float32"\n' + MODEL + 'precision = "float16"\n', "c.toml")
    assert config.model[0].precision == "float16"


def test_a_package_inherits_no_conversion_options() -> None:
    gate = '[gate]\nprecision = "float32"\ncompute-units = "CPU_ONLY"\n'
    (model,) = parse_config(gate + MODEL.replace("models/digits.py:build", "a.mlpackage"), "c.toml").model
    assert (model.precision, model.compute_units) == ("float16", "CPU_ONLY")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[gate]\nprecison = 1\n",
            "line 2: `gate.precison` is an unknown key; perhaps you meant `precision`.",
        ),
        (
            "[gate]\nmax_samples = 1\n",
            "`gate.max_samples` is an unknown key; perhaps you meant `max-samples`.",
        ),
        ("[gate]\nmax-samples = true\n", "`gate.max-samples` must be a whole number, not `true`."),
        ("[gate]\nmax-samples = 0\n", "`gate.max-samples` must be greater than 0, not `0`."),
        ("[gate]\njobs = 0\n", '`gate.jobs` must be `"auto"` or a whole number > 0, not `0`.'),
        ("[gate]\njobs = 'all'\n", '`gate.jobs` must be `"auto"` or a whole number > 0, not `"all"`.'),
        ("[gate]\nwatch = 'a'\n", '`gate.watch` must be a list, not `"a"`.'),
        ("[gate]\nconversion = 'jit'\n", 'must be `auto`, `export`, `decomposed` or `trace`, not `"jit"`.'),
        ("[gate]\nstep-timeout-s = nan\n", "`gate.step-timeout-s` must be a finite number, not `NaN`."),
        (
            "[gate]\ndevices = ['iPhone 12', 'iPhon 13 Pro']\n",
            "`gate.devices[1]` is `iPhon 13 Pro`, which no device is called; perhaps you meant `iPhone 13",
        ),
        (
            "[gate]\ndevices = ['Galaxy S24']\n",
            "`Galaxy S24`, which no device is called; `coreml-gate devices`",
        ),
        ("[gate]\nminimum-os = 'iOS17'\n", 'must be a version of iOS in quotes, such as `"17"`, not'),
        ("[gate]\nminimum-os = 17\n", 'must be a version of iOS in quotes, such as `"17"`, not `17`.'),
        ("[gate.limits.parity]\nmax-eror = 1\n", "line 2: `gate.limits.parity.max-eror` is an unknown key"),
    ],
)
def test_one_problem_is_said_in_the_users_words(text: str, said: str) -> None:
    message = problem(text + MODEL)
    assert message.startswith("`coreml-gate.toml`, line 2: ")
    assert said in message


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("limits.size.max-md = 1", "line 4: `model[digits].limits.size.max-md` is an unknown key; perhaps"),
        ('rules.off = { "run-time-gather" = " " }', "should have at least 1 character"),
        (
            "[[model.input]]\nname = 'x'\nshape = [1, 'n']",
            "line 6: `model[digits].input[0].shape[1]` must be a size",
        ),
        ("[[model.input]]\nshape = [1]", "line 4: `model[digits].input[0]` lacks the key `name`."),
        (
            "[[model.input]]\nname = 'x'\nshape = [[5, 2]]",
            "`model[digits].input[0].shape[0]` ranges from 5 to 2",
        ),
        (
            "input = [{ name = 'x', shape = [1], shapes = [[1]] }]",
            "line 4: `model[digits].input[0].shapes` cannot be combined",
        ),
        ("compress = { method = 'linear-int8', block-size = 32 }", "scales per block, which need iOS18, but"),
        ("compress = { method = 'linear-int4' }", 'set `deployment-target = "iOS18"` or remove the option.'),
        (
            "deployment-target = 'iOS15'\ninput = [{ name = 'x', dtype = 'float16' }]",
            "float16 inputs, which need iOS16",
        ),
        ("evaluate = 'models/digits.py'", "line 4: `model[digits].evaluate` must be `file.py:callable` or"),
        ("samples = '../samples.py:rows'", "`model[digits].samples` must be a path inside the repository"),
        (
            "[[model]]\nname = 'Digits'\nsource = 'a:b'",
            "line 5: `model[Digits].name` is used by another model (`digits`)",
        ),
        (
            "[[model]]\nname = 'a'\nsource = 'a.mlpackage'\nprecision = 'float32'",
            "line 7: `model[a].precision` cannot be set",
        ),
        ("function = 'triple'", "line 4: `model[digits].function` cannot be set"),
        ("convert = 'export.py'", "line 4: `model[digits].convert` must be `file.py:callable` or"),
        (
            "package = 'Net.onnx'",
            "`model[digits].package` must be the path of a `.mlpackage`, not",
        ),
        ("package = '../Net.mlpackage'", "`model[digits].package` must be a path inside the repository"),
        ("build = ['make']", "line 4: `model[digits].build` needs `package`"),
        (
            "convert = 'a.py:f'\npackage = 'a.mlpackage'",
            "line 5: `model[digits].package` cannot be combined with `convert`",
        ),
        (
            "convert = 'a.py:f'\nprecision = 'float32'",
            "line 5: `model[digits].precision` cannot be set: the package of `a.py:f` is judged as it is",
        ),
        (
            "[[model]]\nname = 'a'\nsource = 'a.mlpackage'\nconvert = 'a.py:f'",
            "line 7: `model[a].convert` needs a PyTorch source to compare with",
        ),
        (
            "precision = 'float32'\nkeep-fp32 = ['a']",
            'line 5: `model[digits].keep-fp32` cannot be combined with `precision = "float32"`',
        ),
        (
            "[gate]\nprecision = 'float32'\nkeep-fp32 = ['a']",
            'remove `keep-fp32`, or set `precision = "float16"`.',
        ),
        ("[[model]]\nname = 'a'\nsource = 'a.onnx'", "line 6: `model[a].source` must be `file.py:callable`"),
    ],
)
def test_a_models_problem_has_its_place_and_a_way_out(lines: str, said: str) -> None:
    assert said in problem(MODEL + lines + "\n")


@pytest.mark.parametrize(
    "lines",
    [
        "deployment-target = 'iOS18'\ncompress = { method = 'linear-int4', block-size = 32 }",
        "input = [{ name = 'x', shape = [1, [1, -1], [4, 4]] }]",
        "precision = 'float32'\n[gate]\nkeep-fp32 = ['a']",
        "input = [{ name = 'x', shapes = [[1, 2], [3, 4]], dtype = 'float16' }]",
    ],
)
def test_what_fits_together_is_no_problem(lines: str) -> None:
    assert parse_config(MODEL + lines, "coreml-gate.toml").model[0].name == "digits"


def test_all_problems_are_said_at_once_in_the_order_of_lines() -> None:
    message = problem("[[model]]\nwatch = 3\n[gate]\nprecison = 1\n")
    assert message.splitlines()[:5] == [
        "`coreml-gate.toml` has 4 problems:",
        "  line 1: `model[0]` lacks the key `name`.",
        "  line 1: `model[0]` lacks the key `source`.",
        "  line 2: `model[0].watch` must be a list, not `3`.",
        "  line 4: `gate.precison` is an unknown key; perhaps you meant `precision`.",
    ]


def test_an_inherited_problem_is_said_once_and_at_the_gate() -> None:
    text = "[gate]\ncompress = { method = 'linear-int4' }\n" + MODEL + MODEL.replace("digits", "words")
    assert problem(text).startswith("`coreml-gate.toml`, line 2: `gate.compress.method` uses 4-bit weights")


def test_malformed_toml_has_line_and_column() -> None:
    assert problem("[gate]\nprecision = half\n").startswith(
        "`coreml-gate.toml`, line 2, column 13: this is not TOML: invalid value."
    )


def test_a_number_beyond_what_python_reads_is_no_traceback() -> None:
    assert "has a number that cannot be read" in problem(f"{MODEL}[gate]\nmax-samples = {'1' * 5_000}\n")


@pytest.mark.parametrize("text", ["", "model = []", "[gate]\nmax-samples = 2"])
def test_without_a_model_a_minimal_file_is_shown(text: str) -> None:
    message = problem(text)
    assert "`model`" in message
    shown = message[message.index("[[model]]") :]
    assert parse_config(shown, "coreml-gate.toml").model[0].name == "digits"


def test_a_misspelt_table_of_models_is_said_too() -> None:
    assert "perhaps you meant `model`" in problem("[[models]]\nname = 'a'\n")


def test_pyproject_holds_the_same_tables(tmp_path: Path) -> None:
    text = MODEL.replace("[[model]]", "[[tool.coreml-gate.model]]")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n" + text)
    assert load_config(tmp_path).model[0].name == "digits"
    assert problem(text + "precison = 1", "pyproject.toml").startswith(
        "`pyproject.toml`, line 4: `tool.coreml-gate.model[digits].precison` is an unknown key"
    )


def test_coreml_gate_toml_comes_first(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(MODEL.replace("[[model]]", "[[tool.coreml-gate.model]]"))
    (tmp_path / "coreml-gate.toml").write_text(MODEL.replace("digits", "words"))
    (tmp_path / "other.toml").write_text(MODEL.replace("digits", "faces"))
    assert load_config(tmp_path).model[0].name == "words"
    assert load_config(tmp_path, Path("other.toml")).model[0].name == "faces"


def test_a_missing_file_says_where_was_looked(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    with pytest.raises(ConfigError, match=r"looked for `coreml-gate.toml` and for `\[tool.coreml-gate\]`"):
        find_config(tmp_path)
    with pytest.raises(ConfigError, match=r"no configuration file `gate.toml`"):
        load_config(tmp_path, Path("gate.toml"))


@pytest.mark.attack("disks and outputs")
@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nothing", "link to itself", "device"])
def test_what_has_the_name_and_is_no_file_is_in_the_way(tmp_path: Path, kind: str) -> None:
    """The message was that there is no configuration, and to write one."""
    path = tmp_path / "coreml-gate.toml"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            targets = {"link to nothing": "nothing", "link to itself": path.name, "device": os.devnull}
            path.symlink_to(targets[kind])
    with pytest.raises(ConfigError, match=r"coreml-gate.toml` is not a regular file"):
        load_config(tmp_path)


def test_bytes_that_are_no_text_are_an_error_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "coreml-gate.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


@pytest.fixture
def three() -> Config:
    return parse_config(
        "".join(MODEL.replace("digits", name) for name in ("digits", "words", "faces")), "c.toml"
    )


def test_select_keeps_the_files_order(three: Config) -> None:
    assert [model.name for model in select_models(three, ["faces", "digits"]).model] == ["digits", "faces"]
    assert select_models(three, []) == three


def test_an_unknown_model_gets_a_suggestion(three: Config) -> None:
    with pytest.raises(
        UnknownModelError, match=r"no model is named `digit`.\nHint: perhaps you meant `digits`"
    ):
        select_models(three, ["digit"])


VARIANT = MODEL + '[[model.variant]]\nname = "small"\n'


def test_a_variant_is_its_model_but_for_what_it_sets() -> None:
    text = MODEL.replace("[[model]]", '[[model]]\ncompress = { method = "linear-int8" }')
    text += 'precision = "float32"\n[model.limits]\nsize = { max-mb = 9 }\nparity = { max-error = 0.5 }\n'
    text += '[[model.variant]]\nname = "plain"\ncompress = false\nlimits = { size = { max-mb = 3 } }\n'
    (model,) = parse_config(text, "coreml-gate.toml").model
    plain = configured(model, model.variant[0])
    assert (plain.name, plain.source, plain.precision) == ("plain", model.source, "float32")
    assert (plain.compress, model.compress is None) == (None, False)
    assert (plain.limits.size.max_mb, plain.limits.parity.max_error) == (3, 0.5)
    assert plain.variant == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (VARIANT, "is the model itself: set an option that differs"),
        (
            VARIANT.replace("small", "DIGITS") + 'precision = "float32"\n',
            "is already the name of the model or of",
        ),
        (
            VARIANT + 'compress = { method = "linear-int4" }\n',
            "4-bit weights (`linear-int4`), which need iOS18",
        ),
        (VARIANT + 'source = "/net.py:build"\n', "must be a path inside the repository"),
        (VARIANT + "precison = 1\n", "unknown key; perhaps you meant `precision`"),
        (VARIANT + 'compress = { method = "prune", sparsity = 1.5 }\n', "must be less than 1"),
    ],
)
def test_what_is_wrong_with_a_variant_is_said_with_its_place(text: str, complaint: str) -> None:
    assert complaint in problem(text)
    assert "variant" in problem(text)


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        ("oldest = { max-ms = 4 }", "names no device: set `devices` or `minimum-os`"),
        ('"iPhone 12 Por" = { max-ms = 4 }', "which no device is called; perhaps you meant `iPhone 12 Pro`"),
        ('"iPhone 12" = { max-ms = 0 }', "must be"),
    ],
)
def test_limits_of_a_device_name_one_that_there_is(limits: str, complaint: str) -> None:
    assert complaint in problem(MODEL + f"[model.limits.on-device]\n{limits}\n")


def test_the_oldest_device_may_be_that_of_an_inherited_minimum() -> None:
    text = '[gate]\nminimum-os = "17"\nlimits = { on-device = { oldest = { max-ms = 4 } } }\n' + MODEL
    limits = parse_config(text, "coreml-gate.toml").model[0].limits
    assert limits.on_device["oldest"].max_ms == 4
