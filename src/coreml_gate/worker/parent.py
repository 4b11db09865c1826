"""The parent's side: starts the child, and turns whatever happens to it into a ``ModelRecord``."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from coreml_gate.config import ModelConfig
from coreml_gate.errors import SourceError, WorkerError
from coreml_gate.frozen import changed
from coreml_gate.record import ConversionFacts, Diagnosis, LiteRtFacts, ModelRecord, Problem
from coreml_gate.worker.events import Events, read_events
from coreml_gate.worker.job import Job
from coreml_gate.worker.process import Ending, ProcessLimits, log_tail, run_child

_ONLY_OF_MODELS: Final[Mapping[str, Any]] = {"outline": (), "rules": None, "predicted_placement": None}
"""Parts that nobody compares between variants, left out of what a Record says of them."""
WHAT_STEP_DOES = {
    "start": "starting",
    "source": "building and running the source",
    "convert": "converting",
    "measure": "comparing the package with the source",
    "evaluate": "running `evaluate`",
    "diagnose": "looking for what half precision breaks",
    "litert": "running the source through LiteRT",
}


def measure_model(
    job: Job, limits: ProcessLimits, environment: Mapping[str, str], on_step: Callable[[str], None]
) -> ModelRecord:
    """Measure one model; a crash, a hang or a kill becomes a part of the record, never an exception."""
    job.folder.mkdir(parents=True, exist_ok=True)
    job.events.unlink(missing_ok=True)
    request = job.folder / "job.json"
    request.write_text(job.model_dump_json(indent=1), encoding="utf-8")
    ending = run_child(
        [sys.executable, "-P", "-m", "coreml_gate.worker", str(request)],
        folder=job.root,
        log=job.log,
        environment=environment,
        limits=limits,
        current_step=lambda: read_events(job.events).step,
        on_step=on_step,
    )
    events = read_events(job.events)
    parts = {"name": job.model.name, "content": job.closure, **events.parts}
    ended = {} if ending.how == "finished" else _parts_of_ending(ending, events, job)
    if not events.variant:
        parts |= ended
    return ModelRecord.model_validate(parts | {"variants": _variants(job, events, ended)})


def measure_with_variants(
    job: Job,
    variants: Sequence[ModelConfig],
    limits: ProcessLimits,
    environment: Mapping[str, str],
    on_step: Callable[[str], None],
) -> ModelRecord:
    """Measure a model and its variants: those of its own source in its process, others in their own."""
    shared = tuple(variant for variant in variants if variant.source == job.model.source)
    record = measure_model(changed(job, variants=shared), limits, environment, on_step)
    measured = {variant.name: variant for variant in record.variants}
    for variant in variants:
        if variant.name not in measured:
            alone = changed(
                job, model=changed(variant, adversarial=False, litert=False), variant_of=job.model.name
            )
            own = measure_model(alone, limits, environment, on_step)
            measured[variant.name] = changed(own, **_ONLY_OF_MODELS)
    return changed(record, variants=tuple(measured[variant.name] for variant in variants))


def _variants(job: Job, events: Events, ended: Mapping[str, object]) -> list[dict[str, object]]:
    """What is known of each variant; the one at which the child ended early has the ending as its own."""
    records = []
    for variant in job.variants:
        parts = dict(events.variants.get(variant.name, {}))
        if variant.name == events.variant:
            parts |= ended
        elif not parts:
            parts["problem"] = _not_reached(job, events)
        records.append({"name": variant.name, **parts, **_ONLY_OF_MODELS})
    return records


def _not_reached(job: Job, events: Events) -> Problem:
    where = f"its variant `{events.variant}`" if events.variant else "the model itself"
    return Problem(
        kind="worker-error",
        message=f"model `{job.model.name}`: measuring stopped at {where}, before this variant.",
        hint="repair that first.",
        exit_code=WorkerError.exit_code,
    )


def _parts_of_ending(ending: Ending, events: Events, job: Job) -> dict[str, object]:
    tail = log_tail(job.log)
    variant = f", variant `{events.variant}`" if events.variant else ""
    message = (
        f"model `{job.model.name}`{variant}: the child process {_how(ending)} while "
        f"{WHAT_STEP_DOES[events.step]}."
    )
    if events.step == "convert":
        return {"conversion": _unfinished_conversion(ending, message, tail)}
    if events.step == "diagnose":  # everything else is measured by then
        return {"diagnosis": Diagnosis(note=message)}
    if events.step == "litert":  # it is no part of what ships
        return {"litert": LiteRtFacts(status="failed", message=message)}
    error = SourceError if events.step == "source" else WorkerError
    return {
        "problem": Problem(
            kind="source-error" if events.step == "source" else "worker-error",
            message=message,
            hint=_hint(ending),
            exit_code=error.exit_code,
            log_tail=tail,
        )
    }


def _unfinished_conversion(ending: Ending, message: str, tail: tuple[str, ...]) -> ConversionFacts:
    status = ending.how if ending.how != "finished" else "crashed"
    return ConversionFacts(status=status, route="none", message=message, hint=_hint(ending), log_tail=tail)


def _how(ending: Ending) -> str:
    return {
        "finished": "ended",
        "crashed": f"crashed ({ending.detail})",
        "timed-out": f"was ended ({ending.detail})",
        "out-of-memory": f"ran out of memory ({ending.detail})",
    }[ending.how]


def _hint(ending: Ending) -> str:
    return {
        "finished": "",
        "crashed": "the last lines of its output are in the details; run the model's file alone to see more.",
        "timed-out": "raise `step-timeout-s` under [gate] if the model honestly takes longer.",
        "out-of-memory": "raise `step-memory-mb` under [gate], or take a runner with more memory.",
    }[ending.how]
