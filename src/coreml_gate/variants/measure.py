"""Measures one model with its variants, outside of a run: nothing is compared with a base."""

import tempfile
from pathlib import Path
from typing import Final

from coreml_gate.children.job import ModelJob
from coreml_gate.config import GateOptions, ModelConfig
from coreml_gate.config.inherit import configured
from coreml_gate.frozen import changed
from coreml_gate.record import ModelRecord
from coreml_gate.worker.models import measure_with_variants
from coreml_gate.worker.supervisor import Supervisor

ONLY: Final = (
    "source",
    "conversion",
    "package",
    "numbers",
    "metrics",
    "parity-fault",
    "half-precision",
    "variants",
)
"""What packages are compared by; changed samples and LiteRT do not bear on the choice of one."""


def measure_side_by_side(
    model: ModelConfig, options: GateOptions, root: Path, supervisor: Supervisor
) -> ModelRecord:
    """The model and its variants from one run of the source; packages are thrown away afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        job = ModelJob(
            only=ONLY,
            root=root,
            record_folder=Path(folder),
            model=changed(model, variant=()),
            closure="",
            max_samples=options.max_samples,
        )
        variants = tuple(configured(model, variant) for variant in model.variant)
        return measure_with_variants(job, variants, supervisor)
