"""The pytest plugin: ``assert_core_ml_parity``, as a fixture and as a function.

pytest imports this module in every run where coreml-gate is installed, so torch and the gate are imported
when the assertion is first used.
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
"""Checks whose failure fails the assertion; the others, such as size and rules, are the gate's."""


def assert_core_ml_parity(
    model: "Model",
    samples: Iterable[object],
    precision: Literal["float16", "float32"] = "float16",
    *,
    package: "str | Path | None" = None,
    **options: "Unpack[OtherKeywords]",
) -> "CheckResult":
    """Asserts that the model converts to Core ML and that its package answers like it on these samples.

    In float32 by the limits of ``parity``, in half precision by those of ``precision``. Where no outputs can
    be compared, the test is skipped with the reason; an output that cannot be judged beside others is a
    warning. Neither is a pass or a failure.

    :param samples: Example inputs: tensors, tuples of tensors or dicts by name.
    :param package: A ``.mlpackage`` of the same model, judged instead of one that is converted here; its own
        precision counts.
    :param options: Keys of ``[[model]]``, such as ``limits={"precision": {"psnr": 40}}``.
    :raises pytest.fail.Exception: With the findings and their ways out.
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
    """Without torch's trace of a capture: pytest would show hundreds of empty lines of it under a failure."""
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
    """Asserts that a model's Core ML package answers like the model (docs/api.md)."""
    return assert_core_ml_parity
