"""How far are published times of Core ML above the bound that the gate shows for a device?

    python benchmarks/roofline/bench.py

Converts each net of ``published.csv``, counts its cost, and divides the published time by the bound of
``coreml_gate.devices``. The table goes into docs/cost.md between its two marks.
"""

import csv
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coreml_gate.config.load import load_config, select_models
from coreml_gate.conversion import convert
from coreml_gate.devices import SEEN, SEEN_BY_PRODUCTS, devices, least_seconds
from coreml_gate.engines.samples import load_samples
from coreml_gate.engines.source import load_source
from coreml_gate.mil.package import read_package
from coreml_gate.package_facts.memory_and_cost import footprint
from coreml_gate.record import CostFacts

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from pages import write_between_marks  # noqa: E402 - the folder of benchmarks has to be on the path first

PAGE = HERE.parents[1] / "docs" / "cost.md"
MARK = "published times"


@dataclass(frozen=True)
class Row:
    net: str
    device: str
    cost: CostFacts
    bound_ms: float
    published_ms: float

    @property
    def ratio(self) -> float:
        return self.published_ms / self.bound_ms


def counted(name: str) -> CostFacts:
    """The cost of the FP16 package."""
    (config,) = select_models(load_config(HERE, None), [name]).model
    source = load_source(config.source, HERE)
    samples = load_samples(config, source, HERE, 1, ())
    with tempfile.TemporaryDirectory() as folder:
        converted = convert(source, samples, config, Path(folder))
        if converted.package is None:
            raise SystemExit(f"{name}: {converted.facts.message}")
        return footprint(read_package(converted.package))[1]


def rows() -> Iterator[Row]:
    costs: dict[str, CostFacts] = {}
    for line in published():
        net, device = line["net"], line["device"]
        if net not in costs:
            costs[net] = counted(net)
        bound = least_seconds(devices()[device].chip, costs[net].macs, costs[net].weights_read)
        if bound is None:
            raise SystemExit(f"{device}: the peak of its chip is not in the table of devices")
        yield Row(net, device, costs[net], 1e3 * bound, float(line["ms"]))


def published() -> list[Mapping[str, str]]:
    with (HERE / "published.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table(found: Sequence[Row]) -> str:
    head = "| Net | Device | MMAC | Weights read (MB) | Bound (ms) | Published (ms) | Published / bound |"
    lines = [head, "|---|---|--:|--:|--:|--:|--:|"]
    for row in found:
        read = (row.cost.weights_read or 0) / 1e6
        cells = (
            f"{row.net} | {row.device} | {row.cost.macs / 1e6:,.0f} | {read:.1f} | {row.bound_ms:.2f} | "
            f"{row.published_ms:.2f} | {row.ratio:.1f}"
        )
        lines.append(f"| {cells} |")
    return "\n".join(lines)


def seen(found: Sequence[Row], *, bandwidth: bool) -> tuple[float, float]:
    """The least and the greatest ratio of chips whose bandwidth is known, or is not."""
    ratios = [
        round(row.ratio, 1)
        for row in found
        if (devices()[row.device].chip.bandwidth_gb_s is not None) is bandwidth
    ]
    return min(ratios), max(ratios)


def main() -> int:
    found = list(rows())
    text = table(found)
    print(text)
    write_between_marks(PAGE, MARK, text)
    measured = (seen(found, bandwidth=True), seen(found, bandwidth=False))
    if measured != (SEEN, SEEN_BY_PRODUCTS):
        print(f"the gate's notes say {SEEN} and {SEEN_BY_PRODUCTS}, seen are {measured}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
