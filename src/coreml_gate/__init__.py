"""coreml-gate: a pull-request gate for PyTorch models that ship to iPhones.

In code: :func:`check` judges a model, :func:`convert` makes its package, :func:`run_package` runs one on any
system, :func:`compare` judges two sets of outputs. Each is imported when first used, as torch takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from coreml_gate.version import __version__

if TYPE_CHECKING:
    from coreml_gate.api.check import check
    from coreml_gate.api.comparison import ComparedOutputs, compare
    from coreml_gate.api.conversion import ConvertedModel, convert
    from coreml_gate.api.package_run import run_package
    from coreml_gate.api.result import CheckResult
    from coreml_gate.errors import GateError
    from coreml_gate.pytest_plugin import assert_core_ml_parity

__all__ = [
    "CheckResult",
    "ComparedOutputs",
    "ConvertedModel",
    "GateError",
    "__version__",
    "assert_core_ml_parity",
    "check",
    "compare",
    "convert",
    "run_package",
]

_HOME: Final = {
    "CheckResult": "api.result",
    "ComparedOutputs": "api.comparison",
    "ConvertedModel": "api.conversion",
    "GateError": "errors",
    "assert_core_ml_parity": "pytest_plugin",
    "check": "api.check",
    "compare": "api.comparison",
    "convert": "api.conversion",
    "run_package": "api.package_run",
}


def __getattr__(name: str) -> object:
    """What :data:`__all__` lists, imported when it is first named."""
    if name not in _HOME:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
