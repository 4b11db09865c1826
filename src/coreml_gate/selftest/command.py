"""``coreml-gate selftest``: inject known faults into the user's setup; each must turn the gate red."""

import argparse
import sys
from dataclasses import asdict
from typing import Final, get_args

from coreml_gate.arguments import add_config, add_core_ml, add_json, add_output
from coreml_gate.children.process import ProcessLimits
from coreml_gate.config import GateOptions
from coreml_gate.config.load import load_config, select_models
from coreml_gate.frozen import changed
from coreml_gate.gate.core_ml_host import CoreMlHost
from coreml_gate.report.progress import LogProgress
from coreml_gate.selftest.trial import FaultTrial, Outcome, Workbench, trials
from coreml_gate.surroundings import Surroundings
from coreml_gate.wording import hanging
from coreml_gate.worker.supervisor import Supervisor, limits_of
from coreml_gate.writing import make_output_folder

FOLDER: Final = "selftest"
_TIME_BUDGET_S: Final = 60.0
_OUTCOME_WIDTH: Final = max(map(len, get_args(Outcome)))


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config(parser)
    parser.add_argument("--model", metavar="NAME", help="the model to use; default: the first")
    add_core_ml(parser)
    add_output(parser)
    add_json(parser)
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print one row per fault; 1 if one of them was not caught."""
    config = load_config(around.folder, parsed.config)
    model = select_models(config, [parsed.model or config.model[0].name]).model[0]
    model = changed(model, variant=(), adversarial=False, litert=False)
    make_output_folder(around.folder / parsed.output)
    supervisor = Supervisor(around.environment, limits_of(config.gate), start=around.start)
    bench = Workbench(
        root=around.folder,
        folder=around.folder / parsed.output / FOLDER,
        options=_short(config.gate),
        supervisor=supervisor,
        host=_host(parsed.core_ml, config.gate.core_ml_timeout_s, around),
    )
    done: list[FaultTrial] = []
    for trial in trials(model, bench):
        if not parsed.json:
            _print(trial, around)
        done.append(trial)
    outcomes = [trial.outcome for trial in done]
    if parsed.json:
        around.print_json({"model": model.name, "trials": [asdict(trial) for trial in done]})
    else:
        counts = [f"{outcomes.count(name)} {name}" for name in get_args(Outcome) if name in outcomes]
        around.out.print(f"{model.name}: {', '.join(counts)}")
    return int("not caught" in outcomes)


def _short(options: GateOptions) -> GateOptions:
    """Options for a short timing (one compute unit, a minute), since the slower package is far slower."""
    units = options.core_ml_units or ("CPU_ONLY",)
    budget = min(options.time_budget_s, _TIME_BUDGET_S)
    return changed(options, time_budget_s=budget, core_ml_units=units[:1])


def _host(wanted: str, timeout_s: float, around: Surroundings) -> CoreMlHost | None:
    is_mac = sys.platform == "darwin"
    if wanted == "off" or (wanted == "auto" and not is_mac):
        return None
    supervisor = Supervisor(
        around.environment, ProcessLimits(timeout_s), stand_in=not is_mac, start=around.start
    )
    progress = LogProgress(around.err.print, groups=False)
    return CoreMlHost.here("core-ml" if is_mac else "stand-in", supervisor, progress)


def _print(trial: FaultTrial, around: Surroundings) -> None:
    first = f"{trial.outcome:<{_OUTCOME_WIDTH}}  "
    around.out.print(hanging(first, f"{trial.fault}: {trial.words}", around.out.width))
