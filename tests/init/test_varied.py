"""What `init` proposes for fifteen varied repositories: right, or said to be unknown in its file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from coreml_gate.config.load import parse_config
from coreml_gate.init.command import CONFIG, configuration, documents
from coreml_gate.init.proposal import propose
from coreml_gate.init.scan import scan
from tests.init.conftest import Lay
from tests.init.varied import REPOSITORIES

_KEYS = ("source", "convert", "package", "build", "deployment-target")


@pytest.mark.parametrize("name", REPOSITORIES)
def test_each_model_is_built_fed_and_converted_as_the_code_does(lay: Lay, name: str) -> None:
    wanted = REPOSITORIES[name]
    text = _written(lay(wanted.files), wanted.files)
    models = {model["name"]: model for model in tomllib.loads(text).get("model", [])}

    assert list(models) == list(wanted.models)
    for each, keys in wanted.models.items():
        model = models[each]
        assert {key: model[key] for key in _KEYS if key in model} == {
            key: value for key, value in keys.items() if key in _KEYS
        }
        inputs = {item["name"]: item["shape"] for item in model.get("input", [])}
        assert inputs == keys.get("inputs", inputs)
        images = [item["image"] for item in model.get("input", []) if "image" in item]
        assert images == ([{**keys["image"], "bias": list(keys["image"]["bias"])}] if "image" in keys else [])


@pytest.mark.parametrize("name", REPOSITORIES)
def test_what_is_not_known_stands_in_the_file(lay: Lay, name: str) -> None:
    wanted = REPOSITORIES[name]
    text = _written(lay(wanted.files), wanted.files)

    assert [said for said in wanted.says if said not in text] == []
    if wanted.models:
        parse_config(text, CONFIG)


def _written(root: Path, files: Mapping[str, str]) -> str:
    proposal = propose(scan(root, frozenset(files)))
    for path, text in documents(proposal).items():
        if path.endswith(".py"):
            compile(text, path, "exec")
    return configuration(proposal)
