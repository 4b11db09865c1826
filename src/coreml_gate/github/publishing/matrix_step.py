"""The step that shares the models which need Core ML among a few Macs."""

import json
from pathlib import Path

from coreml_gate.gate.plan_output import needing_core_ml, shards
from coreml_gate.github.effects import Effects
from coreml_gate.github.publishing.outputs import write_outputs
from coreml_gate.github.requests import MatrixRequest
from coreml_gate.record import RECORD_NAME, read_record
from coreml_gate.surroundings import Surroundings
from coreml_gate.wording import counted


def matrix(request: MatrixRequest, around: Surroundings, effects: Effects) -> int:
    """Share the models that need a Mac among a few jobs."""
    head = read_record(request.record / RECORD_NAME)
    path = request.baseline / RECORD_NAME
    names = needing_core_ml(head, read_record(path) if path.exists() else None)
    legs = shards(names, request.shards)
    outputs = {
        "matrix": json.dumps({"include": legs}) if legs else "",
        "records": str(len(legs) + 1),
    }
    file = around.environment.get("GITHUB_OUTPUT", "")
    write_outputs(Path(file) if file else None, outputs, effects.new_token)
    around.out.print(f"coreml-gate: {counted(len(names), 'model')} for Core ML")
    return 0
