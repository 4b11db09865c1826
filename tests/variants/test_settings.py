"""Names of compression settings, and the lines that they stand for."""

import tomllib

import pytest

from coreml_gate.config import Compression
from coreml_gate.config.load import parse_config
from coreml_gate.errors import UsageError
from coreml_gate.variants.settings import as_toml, parse_setting, settings_for
from tests.builders import model_config


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("linear-int8", {"method": "linear-int8"}),
        ("linear-int4-block-32", {"method": "linear-int4", "block-size": 32}),
        ("palettize-6", {"method": "palettize", "bits": 6}),
        ("palettize-4-group-16", {"method": "palettize", "bits": 4, "block-size": 16}),
        ("prune-75", {"method": "prune", "sparsity": 0.75}),
    ],
)
def test_a_setting_is_the_table_that_its_line_writes(name: str, options: dict[str, object]) -> None:
    setting = parse_setting(name)
    assert tomllib.loads(as_toml(setting)) == {"compress": options}
    assert Compression.model_validate(options) == setting


@pytest.mark.parametrize("name", ["palettize-5", "palettize", "prune-100", "int8", "linear-int8-block-0"])
def test_what_is_no_setting_is_refused_with_the_forms(name: str) -> None:
    with pytest.raises(UsageError, match="not a compression setting") as raised:
        parse_setting(name)
    assert "palettize-N" in raised.value.hint


@pytest.mark.parametrize("target", ["iOS17", "iOS18"])
def test_every_default_setting_is_one_that_the_configuration_allows(target: str) -> None:
    model = model_config(deployment_target=target)
    for name in settings_for(model):
        text = f'[[model]]\nname = "a"\nsource = "a.py:b"\ndeployment-target = "{target}"\n'
        (parsed,) = parse_config(text + as_toml(parse_setting(name)), "coreml-gate.toml").model
        assert parsed.compress == parse_setting(name)
