"""The faults, in the order of the report: how each is injected, and which check has to catch it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coreml_gate.checks import CHECKS, source
from coreml_gate.config import ModelConfig
from coreml_gate.config.inherit import is_package
from coreml_gate.errors import GateError
from coreml_gate.frozen import changed
from coreml_gate.record import ModelRecord

_LEAVES: Final = "coreml_gate.selftest.faulty_source:leave"


class CannotInjectError(GateError):
    """The fault does not fit this model; the message says why."""

    exit_code = 1


@dataclass(frozen=True)
class Injection:
    """What a fault is made of: the model as configured, what was measured of it, and a folder."""

    model: ModelConfig
    sound: ModelRecord
    package: Path
    folder: Path


@dataclass(frozen=True)
class Fault:
    """One fault of a model."""

    name: str
    inject: Callable[[Injection], ModelConfig]
    """The model with the fault; raises :class:`CannotInjectError`."""
    caught_by: tuple[str, ...]
    """The checks of which one has to fail."""
    needs_mac: bool = False


def _wrong_operation(given: Injection) -> ModelConfig:
    from coreml_gate.selftest.faulty_package import WRONG_SIGN, multiplied  # noqa: PLC0415 - numpy: --help must not pay

    _require_source(given.model)
    faulty = given.folder / "faulty.mlpackage"
    multiplied(given.package, faulty, WRONG_SIGN, given.model.function)
    return _shipping(given.model, faulty)


def _overflow(given: Injection) -> ModelConfig:
    from coreml_gate.selftest.faulty_package import OVERFLOW, multiplied  # noqa: PLC0415 - numpy: --help must not pay

    _require_source(given.model)
    faulty = given.folder / "faulty.mlpackage"
    if multiplied(given.package, faulty, OVERFLOW, given.model.function) != "fp16":
        raise CannotInjectError("its package computes in float32, where nothing overflows.")
    return _shipping(given.model, faulty)


def _larger(given: Injection) -> ModelConfig:
    from coreml_gate.selftest.faulty_package import enlarged  # noqa: PLC0415 - numpy: --help must not pay

    faulty = given.folder / "faulty.mlpackage"
    enlarged(given.package, faulty)
    return _shipping(given.model, faulty)


def _slower(given: Injection) -> ModelConfig:
    from coreml_gate.selftest.faulty_package import SLOWER, multiplied  # noqa: PLC0415 - numpy: --help must not pay

    faulty = given.folder / "faulty.mlpackage"
    multiplied(given.package, faulty, SLOWER, given.model.function)
    return _shipping(given.model, faulty)


def _leaves(given: Injection) -> ModelConfig:
    return changed(given.model, source=_LEAVES, function=None, convert=None, package=None, build=())


def _require_source(model: ModelConfig) -> None:
    if is_package(model.source):
        raise CannotInjectError("its source is a package already: there is no model to compare it with.")


def _shipping(model: ModelConfig, package: Path) -> ModelConfig:
    """The model with that package in the place of the one that it ships."""
    if is_package(model.source):
        return changed(model, source=str(package))
    return changed(model, package=str(package), convert=None, build=())


FAULTS: Final = (
    Fault("a wrong operation", _wrong_operation, ("parity",)),
    Fault("an FP16 overflow", _overflow, ("precision", "hazards")),
    Fault("a larger package", _larger, ("size",)),
    Fault("a child that exits with 0", _leaves, (source.CHECK.name, "conversion")),
    Fault("a slower package", _slower, ("latency",), needs_mac=True),
)
assert {name for fault in FAULTS for name in fault.caught_by} <= {*CHECKS, source.CHECK.name}  # noqa: S101
