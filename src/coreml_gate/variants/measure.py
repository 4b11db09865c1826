"""Measures one model with its variants, outside of a run: nothing is compared with a base."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from coreml_gate.config import GateOptions, ModelConfig
from coreml_gate.config.inherit import configured
from coreml_gate.frozen import changed
from coreml_gate.record import ModelRecord
from coreml_gate.worker.job import Job
from coreml_gate.worker.parent import measure_with_variants
from coreml_gate.worker.process import ProcessLimits


@dataclass(frozen=True)
class Bench:
    """Where models are, with which environment children run, and who hears of their steps."""

    root: Path
    environment: Mapping[str, str]
    on_step: Callable[[str], None]


def measure_side_by_side(model: ModelConfig, options: GateOptions, bench: Bench) -> ModelRecord:
    """The model and its variants from one run of the source; packages are thrown away afterwards."""
    memory_mb = options.step_memory_mb
    limits = ProcessLimits(options.step_timeout_s, None if memory_mb is None else memory_mb * 1e6)
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            root=bench.root,
            record_folder=Path(folder),
            model=changed(model, adversarial=False, litert=False, variant=()),
            closure="",
            max_samples=options.max_samples,
        )
        variants = tuple(configured(model, variant) for variant in model.variant)
        return measure_with_variants(job, variants, limits, bench.environment, bench.on_step)
