"""Evidence for the tests of the checks."""

from typing import Any

from coreml_gate.checks import Evidence
from coreml_gate.config import Limits, ModelConfig
from coreml_gate.record import ModelRecord, Problem
from coreml_gate.verdict import Finding
from tests.builders import conversion, environment, model_config, model_record


def evidence(
    head: ModelRecord | None = None,
    base: ModelRecord | None = None,
    config: ModelConfig | None = None,
    **base_versions: str,
) -> Evidence:
    """One model against its baseline, which ``base_versions`` measured with another toolchain."""
    return Evidence(
        config=config or model_config(),
        head=head or model_record(),
        base=base,
        environment=environment(),
        base_environment=None if base is None else environment(**base_versions),
    )


def limited(**limits: Any) -> ModelConfig:
    """Model ``digits`` with these limits, as TOML would give them."""
    return model_config(limits=Limits.model_validate(limits))


PROBLEM = Problem(
    kind="source-error",
    message="source `models/digits.py:build` cannot be imported: no module named `timm`.",
    hint="install what the source imports.",
    exit_code=5,
    log_tail=("Traceback", "ModuleNotFoundError"),
)

NOT_CONVERTED = model_record(
    conversion=conversion(status="failed", message="no"),
    package=None,
    memory=None,
    cost=None,
    parity=(),
    precision=(),
)

UNSUPPORTED = model_record(parity=(), precision=(), unsupported=("while_loop", "list_read"))


def only(findings: tuple[Finding, ...]) -> Finding:
    """The one finding that there must be."""
    assert len(findings) == 1
    return findings[0]
