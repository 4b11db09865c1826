"""The pytest plugin: ``assert_core_ml_parity``, as a fixture and as a function.

pytest imports this module in every run where coreml-gate is installed. torch and the gate are therefore
imported only when the assertion is first used.
"""

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, Unpack

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from coreml_gate.api.bench import Model
    from coreml_gate.api.options import OtherKeywords
    from coreml_gate.api.result import CheckResult
    from coreml_gate.verdict import Finding

ASSERTED: Final = ("source", "conversion", "parity", "precision", "coreml-parity")
"""Checks whose failure fails the assertion; the others, such as size and rules, are left to the gate."""


def assert_core_ml_parity(
    model: "Model",
    samples: Iterable[object],
    precision: Literal["float16", "float32"] = "float16",
    *,
    package: "str | Path | None" = None,
    **options: "Unpack[OtherKeywords]",
) -> "CheckResult":
    """Asserts that the model converts to Core ML and that its package agrees with it on these samples.

    The limits of ``parity`` apply in float32, those of ``precision`` in half precision. If no output can be
    compared, the test is skipped with the reason; if only some cannot, they give a warning.

    :param samples: Example inputs: tensors, tuples of tensors or dicts by name.
    :param package: A ``.mlpackage`` of the same model to judge instead of converting it here, in its own
        precision.
    :param options: Keys of ``[[model]]``, such as ``limits={"precision": {"psnr": 40}}``.
    :raises pytest.fail.Exception: With the findings and how to fix them.
    """
    __tracebackhide__ = True
    from coreml_gate.api.check import check  # noqa: PLC0415 - imports torch
    from coreml_gate.report.headline import without_comparison  # noqa: PLC0415 - as above

    with _quiet_torch():
        if package is None:
            result = check(model, samples, precision=precision, **options)
        else:
            result = check(model, samples, package=package, **options)
    failed = [each for each in result.findings if each.check in ASSERTED and each.status == "fail"]
    if failed:
        pytest.fail("\n".join(map(_shown, failed)), pytrace=False)
    if without_comparison(result.model):
        open_ = [each for each in result.findings if each.check in ASSERTED and each.status != "pass"]
        pytest.skip(f"Core ML parity cannot be judged: {' '.join(each.message for each in open_)}")
    for finding in result.findings:
        if finding.check in ASSERTED and finding.status == "unsure":
            warnings.warn(pytest.PytestWarning(_shown(finding)), stacklevel=2)
    return result


@contextmanager
def _quiet_torch() -> Iterator[None]:
    """Silences torch's trace log, of which pytest would show hundreds of empty lines below a failure."""
    trace = logging.getLogger("torch.__trace")
    before, trace.disabled = trace.disabled, True
    try:
        yield
    finally:
        trace.disabled = before


def _shown(finding: "Finding") -> str:
    hint = f"\n  Hint: {finding.hint}" if finding.hint else ""
    return f"{finding.check}: {finding.message}{hint}"


@pytest.fixture(name="assert_core_ml_parity", scope="session")
def _assert_core_ml_parity() -> "Callable[..., CheckResult]":
    """Asserts that a model's Core ML package agrees with the model (docs/api.md)."""
    return assert_core_ml_parity
