"""Why the float32 package does not compute what its source does: the operation, the pass, the other route."""

from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.diagnose.budget import DiagnosisBudget
from coreml_gate.measurements import half_precision
from coreml_gate.record import ParityDiagnosis

if TYPE_CHECKING:
    from coreml_gate.measurements.bench import Bench

PARTS: Final = (ParityDiagnosis,)
STEPS: Final = half_precision.STEPS
CHILD: Final = "model"
ended = half_precision.ended


def wanted(_: ModelJob) -> bool:
    """The numbers decide whether there is a fault to find."""
    return True


def run(bench: "Bench", log: EventLog) -> None:
    """Locate the fault on the sample that shows it most; a package has no conversion to blame."""
    from coreml_gate.diagnose.parity_diagnosis import diagnose_parity
    from coreml_gate.diagnose.parity_failure import Failure

    packages, reference = bench.packages, bench.reference
    if packages is None or packages.route == "none" or not bench.suspects:
        return
    bench.release()  # the diagnosis loads programs of its own
    log.begin("diagnose")
    suspect, route, job = bench.suspects[0], packages.route_taken, bench.job
    failure = Failure(reference.source, reference.samples, job.model, job.folder, route, suspect)
    budget = DiagnosisBudget(job.model.diagnose_budget_s, log.begin, advance=log.advance)
    log.put(diagnose_parity(failure, budget, log.put))
