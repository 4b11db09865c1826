"""``check``: measures and judges one model object as the gate does."""

from collections.abc import Iterable
from pathlib import Path
from typing import Unpack

from coreml_gate.api.bench import Metric, Model, bench_of, folder_for, kept_random_state
from coreml_gate.api.measuring import CoreMl, record_of, with_core_ml_too
from coreml_gate.api.options import ModelKeywords
from coreml_gate.api.result import CheckResult
from coreml_gate.frozen import changed
from coreml_gate.gate.baseline import NO_BASELINE, Baseline, as_baseline, stored_baseline
from coreml_gate.gate.judge import judge
from coreml_gate.record import Record


def check(
    model: Model,
    samples: Iterable[object] | None = None,
    *,
    name: str | None = None,
    evaluate: Metric | None = None,
    package: str | Path | None = None,
    baseline: CheckResult | str | Path | None = None,
    folder: str | Path | None = None,
    max_samples: int = 8,
    core_ml: CoreMl = "off",
    fail_on_unsure: bool = False,
    **options: Unpack[ModelKeywords],
) -> CheckResult:
    """Convert, run and judge a model like ``coreml-gate run``.

    It runs in this process, so a crash of the converter ends the process. The model and the random generators
    are left as they were. A model that does not run or convert gives a failed result, not an exception.

    :param model: A module, an exported program, or a ``source`` as in the configuration.
    :param samples: Example inputs: tensors, tuples of tensors or dicts by name; ``None`` draws random ones.
    :param evaluate: Takes a ``predict`` function and returns numbers by metric name.
    :param package: A ``.mlpackage`` of the same model to judge instead of converting it.
    :param baseline: An earlier result, a Record, or the folder of one, to compare with.
    :param folder: For the packages and ``record.json``; ``None``: they are removed with the result.
    :param core_ml: ``auto`` runs Core ML itself on a Mac, in processes of its own.
    :param options: Keys of ``[[model]]`` (docs/configuration.md), such as ``precision`` and ``limits``.
    :raises ConfigError: An option is unknown or does not fit; all problems are named at once.
    :raises SourceError: The model cannot be copied.
    """
    place = folder_for(folder)
    config, bench = bench_of(
        "check",
        model,
        samples,
        options,
        name=name,
        folder=place,
        package=package,
        evaluate=evaluate,
        max_samples=max_samples,
        fail_on_unsure=fail_on_unsure,
    )
    base = _baseline(baseline, bench.job.model.name)
    with kept_random_state():
        record = record_of(bench)
    record = with_core_ml_too(record, bench, config, base, core_ml)
    verdict = judge(config, record, base.record, base.facts)
    return CheckResult(verdict, record, place, base=base.record, temporary=folder is None)


def _baseline(given: CheckResult | str | Path | None, name: str) -> Baseline:
    """The baseline, whose only model gets the name of this one."""
    if given is None:
        return NO_BASELINE
    if isinstance(given, CheckResult):
        return as_baseline(_named(given.record, name), "an earlier result", given.folder)
    stored = stored_baseline(Path(given))
    if stored.record is None:
        return stored
    return Baseline(stored.facts, _named(stored.record, name), stored.folder)


def _named(record: Record, name: str) -> Record:
    if len(record.models) != 1:
        return record
    return changed(record, models=(changed(record.models[0], name=name),))
