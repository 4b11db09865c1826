"""How much memory do fresh processes hold that predict with head or base?"""

from pathlib import Path
from typing import Final

from coreml_gate.record import Footprints
from coreml_gate.worker.core_ml import ChildSurroundings, predict_on
from coreml_gate.worker.time_packages import Match

PROCESSES: Final = 3
"""Of each package: if all of the head's lie above all of the base's, chance had one way in 20 to do it."""


def measure_footprints(match: Match, folder: Path, around: ChildSurroundings) -> Footprints | None:
    """The greatest footprints of both, from processes in turns; ``None`` when one of them ends early."""
    peaks: dict[str, list[int]] = {"base": [], "head": []}
    for number in range(PROCESSES):
        for name, package in (("base", match.base), ("head", match.head)):
            place = folder / f"{name}-{number}"
            (only,) = predict_on(package, match.expected, (match.units,), place, around)
            if only.ending is not None or only.peak_bytes is None:
                return None
            peaks[name].append(only.peak_bytes)
    return Footprints(units=match.units, base_bytes=tuple(peaks["base"]), head_bytes=tuple(peaks["head"]))
