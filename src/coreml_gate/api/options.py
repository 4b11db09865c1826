"""The keys of ``[[model]]`` as keyword arguments, validated like those of a file."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from coreml_gate.config import Config
from coreml_gate.config.load import resolved_config
from coreml_gate.config.options import ChosenRoute, ComputeUnits, DeploymentTarget, Precision
from coreml_gate.config.table import kebab

Tables = Mapping[str, Any]
"""A table of the configuration, with keys as in TOML (``max-error``) or Python (``max_error``)."""


class OtherKeywords(TypedDict, total=False):
    """The keys of ``[[model]]`` except ``precision``, as Python identifiers (docs/configuration.md)."""

    keep_fp32: Sequence[str]
    deployment_target: DeploymentTarget
    conversion: ChosenRoute
    adversarial: bool
    diagnose_budget_s: float
    compute_units: ComputeUnits
    compress: Tables
    converter: Tables
    devices: Sequence[str]
    minimum_os: str
    rules: Tables
    limits: Tables
    function: str
    input: Sequence[Tables]
    output: Sequence[str]


class ModelKeywords(OtherKeywords, total=False):
    """The keys of ``[[model]]`` that a call takes, as Python identifiers (docs/configuration.md)."""

    precision: Precision


def config_of(
    caller: Literal["check", "convert", "compare"],
    model: Mapping[str, object],
    options: ModelKeywords,
    *,
    fail_on_unsure: bool = False,
) -> Config:
    """The configuration of one model; raises :class:`~coreml_gate.errors.ConfigError` with all problems."""
    written = {kebab(key): value for key, value in options.items()}
    named = {key: value for key, value in model.items() if value is not None}
    raw = {"gate": {"fail-on-unsure": fail_on_unsure}, "model": [named | written]}
    return resolved_config(raw, f"{caller}()", by_name=True)


def reference_to(function: Callable[..., object]) -> str:
    """The name of a callable in messages: ``package.module:callable``."""
    parts = str(getattr(function, "__module__", "")).split(".")
    module = ".".join(parts) if all(part.isidentifier() for part in parts) else "given"
    name = str(getattr(function, "__name__", type(function).__name__))
    return f"{module}:{name if name.isidentifier() else 'function'}"


def path_within(root: Path, path: Path) -> str:
    """The path relative to the root, as in the configuration."""
    return path.resolve().relative_to(root).as_posix()
