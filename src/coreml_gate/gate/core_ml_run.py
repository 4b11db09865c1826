"""The part of a run that only Core ML can do: on a Mac, or with what stands in for it."""

from coreml_gate.children.process import ProcessLimits
from coreml_gate.config import Config
from coreml_gate.gate.baseline import (
    Baseline,
)
from coreml_gate.gate.collect import RunContext
from coreml_gate.gate.core_ml import Stored, ask_core_ml
from coreml_gate.gate.core_ml_host import CoreMlHost
from coreml_gate.gate.core_ml_variants import ask_about_variants
from coreml_gate.gate.request import Request
from coreml_gate.record import Record
from coreml_gate.worker.supervisor import Supervisor


def with_core_ml(
    request: Request, config: Config, head: Record, baseline: Baseline, context: RunContext
) -> Record:
    """The head's Record with what Core ML says of its packages, or as it is where Core ML is missing.

    Times are taken only against base packages that lie on this machine.
    """
    if context.answering is None:
        return head
    base = None
    if baseline.record is not None and baseline.folder is not None:
        base = Stored(baseline.record, baseline.folder)
    options, memory_mb = config.gate, config.gate.step_memory_mb
    supervisor = Supervisor(
        context.environment,
        ProcessLimits(options.core_ml_timeout_s, None if memory_mb is None else memory_mb * 1e6),
        stand_in=context.answering == "stand-in",
        on_step=context.progress.begin_step,
        start=context.start,
    )
    host = CoreMlHost.here(context.answering, supervisor, context.progress)
    models = {model.name: model for model in config.model}
    measured = ask_core_ml(Stored(head, request.output), base, models, options, host)
    return ask_about_variants(Stored(measured, request.output), models, options, host)
