"""The whole gate: from two trees to one Verdict."""

from dataclasses import asdict
from pathlib import Path

from coreml_gate.config import Config, ModelConfig
from coreml_gate.config.load import load_config, select_models
from coreml_gate.gate.base import baseline_of, stored_for
from coreml_gate.gate.collect import RunContext, Tree, collect
from coreml_gate.gate.config_changes import config_changes, config_finding
from coreml_gate.gate.core_ml_run import with_core_ml
from coreml_gate.gate.git import Repository
from coreml_gate.gate.judge import judge
from coreml_gate.gate.plan import Plan, make_plan
from coreml_gate.gate.request import Request, open_repository
from coreml_gate.gate.scratch import scratch
from coreml_gate.gate.stopped import InterruptedRun, judged_so_far
from coreml_gate.interruption import Interrupted
from coreml_gate.record import RECORD_NAME, Record, SkippedModel
from coreml_gate.verdict import Verdict, with_findings


def run_gate(request: Request, context: RunContext) -> Verdict:
    """Find what changed, measure it at head and base, and judge.

    Raises :class:`InterruptedRun` with a Verdict on what was measured until then.
    """
    whole = load_config(request.root, request.config_file)
    config = select_models(whole, request.models)
    repository = open_repository(request, context.environment)
    chosen = make_plan(request, config, repository)
    (request.output / RECORD_NAME).unlink(missing_ok=True)
    try:
        verdict = _measured_and_judged(request, config, chosen, repository, context)
    except KeyboardInterrupt as error:
        stopped = Interrupted.of(error)
        verdict = judged_so_far(config, request.output, stopped)
        raise InterruptedRun(stopped.exit_code, verdict) from error
    changes = () if chosen.base_config is None else config_changes(chosen.base_config, whole)
    finding = config_finding(changes, "Judged with the limits as they are now.")
    return verdict if finding is None else with_findings(verdict, (finding,))


def _measured_and_judged(
    request: Request, config: Config, chosen: Plan, repository: Repository | None, context: RunContext
) -> Verdict:
    stored = stored_for(request)
    head = collect_head(request, config, chosen, repository, context)
    baseline = baseline_of(request, stored, config, chosen, repository, context)
    with scratch(request.output, repository) as folder:
        head = with_core_ml(request, config, head, baseline, context.using(folder))
    return judge(config, head, baseline.record, baseline.facts)


def collect_head(
    request: Request, config: Config, chosen: Plan, repository: Repository | None, context: RunContext
) -> Record:
    """Measure the chosen models of the work tree."""
    tree = _head_tree(request.root, repository)
    models = _models_of(chosen, config)
    skipped = [SkippedModel(**asdict(each)) for each in chosen.skipped]
    with scratch(request.output, repository) as folder:
        return collect(tree, models, skipped, config.gate, request.output, context.using(folder))


def _head_tree(root: Path, repository: Repository | None) -> Tree:
    if repository is None:
        return Tree("head", root, commit=None)
    return Tree("head", repository.root, repository.head(), repository.is_dirty())


def _models_of(chosen: Plan, config: Config) -> tuple[ModelConfig, ...]:
    names = {job.name for job in chosen.jobs}
    return tuple(model for model in config.model if model.name in names)
