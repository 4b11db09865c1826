"""How much memory do fresh processes hold that predict with head or base?"""

from pathlib import Path
from typing import Final

from coreml_gate.record import Footprints
from coreml_gate.worker.core_ml import predict_on
from coreml_gate.worker.supervisor import Supervisor
from coreml_gate.worker.timing_loop import PackagePair

PROCESSES: Final = 3
"""Of each package: if all of the head's lie above all of the base's, chance had one way in 20 to do it."""


def measure_footprints(pair: PackagePair, folder: Path, supervisor: Supervisor) -> Footprints | None:
    """The greatest footprints of both, from processes in turns; ``None`` when one of them ends early."""
    peaks: dict[str, list[int]] = {"base": [], "head": []}
    for number in range(PROCESSES):
        for name, package in (("base", pair.base), ("head", pair.head)):
            place = folder / f"{name}-{number}"
            (only,) = predict_on(package, pair.reference, (pair.units,), place, supervisor)
            if only.ending is not None or only.peak_bytes is None:
                return None
            peaks[name].append(only.peak_bytes)
    return Footprints(units=pair.units, base_bytes=tuple(peaks["base"]), head_bytes=tuple(peaks["head"]))
