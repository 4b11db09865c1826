"""Versions: toolchains that were never tested together, and packages from old tools."""

import re
from collections.abc import Iterator
from typing import Final

from coreml_gate.mil.package import Package
from coreml_gate.rules.rule import Match, Setting, rule

_TESTED_TORCH: Final = {"9.0": (2, 7)}
"""The newest torch that each coremltools release was tested with (``_TORCH_MAX_VERSION``)."""
_BREAKING_NUMPY: Final = (2, 4)
_NEWEST_PYTHON: Final = {"9.0": (3, 13)}
_VERSION_KEY: Final = "com.github.apple.coremltools.version"
_OLD_CONVERTER: Final = (8, 0)
_OPSETS: Final = {"iOS15": 15, "iOS16": 16, "iOS17": 17, "iOS18": 18, "iOS26": 26}


@rule(
    "untested-torch",
    "info",
    on="setting",
    evidence=("apple/coremltools#2591", "apple/coremltools#2823", "apple/coremltools#2854"),
    fix="Pin the version that the release names, or keep the parity check on:\ntorch==2.7.*",
    versions="9.0",
)
def untested_torch(setting: Setting) -> Iterator[Match]:
    """The installed torch is newer than the versions coremltools was tested with."""
    tested = _TESTED_TORCH.get(setting.coremltools)
    if tested is not None and _numbers(setting.torch) > tested:
        yield Match(
            "torch",
            (
                f"torch {setting.torch}, coremltools {setting.coremltools} was tested up to "
                f"{tested[0]}.{tested[1]}"
            ),
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


@rule(
    "breaking-numpy",
    "fatal",
    on="setting",
    evidence=("apple/coremltools#2632", "apple/coremltools#2633"),
    fix='Conversions fail with "only 0-dimensional arrays can be converted". Pin:\nnumpy<2.4',
    versions="9.0",
)
def breaking_numpy(setting: Setting) -> Iterator[Match]:
    """The installed numpy is too new for coremltools."""
    if setting.coremltools == "9.0" and _numbers(setting.numpy) >= _BREAKING_NUMPY:
        yield Match("numpy", f"numpy {setting.numpy} with coremltools 9.0")


@rule(
    "untested-python",
    "info",
    on="setting",
    evidence=("https://pypi.org/project/coremltools/9.0/#files",),
    fix="Without its native half, neither prediction nor compression works. Use an older Python:\n"
    "python3.13 -m venv .venv",
    versions="9.0",
)
def untested_python(setting: Setting) -> Iterator[Match]:
    """Python is newer than the versions coremltools is built for."""
    newest = _NEWEST_PYTHON.get(setting.coremltools)
    if newest is not None and _numbers(setting.python) > newest:
        yield Match(
            "python",
            f"Python {setting.python}, coremltools {setting.coremltools} is built up to 3.{newest[1]}",
        )


@rule(
    "old-converter",
    "info",
    on="package",
    evidence=("apple/coremltools#2223",),
    fix="Convert it again from its source, and check parity: 7.0 to 7.2 returned NaN where 6.3 did not.",
)
def old_converter(package: Package) -> Iterator[Match]:
    """An old coremltools converted the package."""
    version = package.spec.description.metadata.userDefined.get(_VERSION_KEY, "")
    if version and _numbers(version) < _OLD_CONVERTER:
        yield Match("coremltools", f"the package was converted by coremltools {version}")


@rule(
    "old-operations",
    "info",
    on="package",
    evidence=("https://apple.github.io/coremltools/docs-guides/source/target-conversion-formats.html",),
    fix="Newer operations support more types and are fused better:\n"
    "ct.convert(..., minimum_deployment_target=ct.target.iOS17)",
)
def old_operations(package: Package) -> Iterator[Match]:
    """The package uses older operations than its deployment target offers."""
    target = _OPSETS.get(package.deployment_target, 0)
    for name, function in package.program.functions.items():
        if function.opset < target:
            yield Match(
                name, f"uses operations of iOS{function.opset}, and needs {package.deployment_target} to load"
            )
