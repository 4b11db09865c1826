"""Every signature against coremltools' own registry of operations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from coremltools.converters.mil.mil import types
from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

from coreml_gate.runtime import ops
from coreml_gate.runtime.ops import REGISTRY, find
from coreml_gate.runtime.registry import EXACT, REQUIRED, Implementation, Parameter, operation

# const is not a computation; the other two never reach a saved program.
NOT_EXECUTED = {"const", "_const_symbolic", "conv_quantized"}
# What coreml_update_state becomes when it is saved.
ONLY_ON_DISK = {"write_state"}
IGNORED = {"_existing_blocks"}
# MIL's default depends on the operands (rank, size or element type); ours is None, the body computes it.
COMPUTED = {
    ("avg_pool", "pad"),
    ("avg_pool", "strides"),
    ("conv", "dilations"),
    ("conv", "pad"),
    ("conv", "strides"),
    ("conv_transpose", "dilations"),
    ("conv_transpose", "pad"),
    ("conv_transpose", "strides"),
    ("crop_resize", "box_indices"),
    ("l2_pool", "pad"),
    ("l2_pool", "strides"),
    ("layer_norm", "axes"),
    ("linear", "bias"),
    ("max_pool", "pad"),
    ("max_pool", "strides"),
}
VERSIONS = [
    (name, int(target.name.removeprefix("iOS")), version)
    for name, versions in sorted(SSAOpRegistry.core_ops.items())
    for target, version in versions.items()
    if name not in NOT_EXECUTED
]


class _Operand:
    """Any operand, for defaults that ask about their operands."""

    rank, shape, dtype, val = 4, (2, 3, 4, 5), types.fp32, None


def mil_defaults(version: Any) -> dict[str, Any]:
    instance = object.__new__(version)
    for name in version.input_spec.input_types:
        setattr(instance, name, _Operand)
    return dict(version.default_inputs(instance).items())


def implementation(name: str, opset: int) -> Implementation:
    found = find(name, opset)
    assert found is not None, f"{name} is not known at iOS{opset}"
    return found


def test_every_operation_of_coremltools_is_known_and_no_other() -> None:
    assert set(REGISTRY) == (set(SSAOpRegistry.core_ops) - NOT_EXECUTED) | ONLY_ON_DISK


@pytest.mark.parametrize("name", sorted({name for name, _, _ in VERSIONS}))
def test_parameters_are_those_of_mil(name: str) -> None:
    allowed: dict[int, set[str]] = {}
    for _, opset, version in (item for item in VERSIONS if item[0] == name):
        found = implementation(name, opset)
        wanted = set(version.input_spec.input_types) - IGNORED
        assert wanted <= {parameter.name for parameter in found.parameters}
        allowed.setdefault(found.since, set()).update(wanted)
    for since, names in allowed.items():
        assert {parameter.name for parameter in REGISTRY[name][since].parameters} == names


@pytest.mark.parametrize("name", sorted({name for name, _, _ in VERSIONS}))
def test_defaults_are_those_of_mil(name: str) -> None:
    for _, opset, version in (item for item in VERSIONS if item[0] == name):
        defaults = mil_defaults(version)
        parameters = {parameter.name: parameter for parameter in implementation(name, opset).parameters}
        for key, kind in version.input_spec.input_types.items():
            if key not in IGNORED:
                _check_default(name, parameters[key], kind.optional, defaults)


def _check_default(name: str, parameter: Parameter, optional: bool, defaults: dict[str, Any]) -> None:
    if not optional:
        assert parameter.default is REQUIRED or parameter.default is None
    elif (name, parameter.name) in COMPUTED:
        assert parameter.default is None
    else:
        assert parameter.default == pytest.approx(defaults.get(parameter.name))


def test_a_version_is_in_force_from_its_opset_on() -> None:
    assert implementation("reshape", 16).since < implementation("reshape", 17).since == 17
    assert find("read_state", 17) is None
    assert implementation("read_state", 18).since == 18


def test_rounding_has_no_default() -> None:
    with pytest.raises(TypeError, match="rounding"):
        operation()  # type: ignore[call-arg]


def test_the_suffix_is_the_opset_and_the_rest_the_type() -> None:
    @operation(EXACT)
    def made_up_ios17(x: torch.Tensor) -> torch.Tensor:
        return x

    assert REGISTRY.pop("made_up")[17].body is made_up_ios17


def test_the_package_imports_every_module_of_operations() -> None:
    bodies = [entry.body.__module__ for versions in REGISTRY.values() for entry in versions.values()]
    files = Path(*ops.__path__).glob("*.py")
    defining = {file.stem for file in files if "\n@operation(" in file.read_text(encoding="utf-8")}
    assert set(bodies) == {f"{ops.__name__}.{name}" for name in defining}
