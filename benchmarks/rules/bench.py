"""How often do rules fire on sound models, and does one that says "wrong" fire falsely?

    python benchmarks/rules/bench.py [--models resnet50,gru]

Every model of the zoo and of the example converts, and all but that of ``TRUE`` pass parity, so each other
match of a ``fatal`` or ``silent`` rule is false. One line per model, each in a process of its own.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
TREES = (ROOT / "examples" / "phone-models", ROOT / "benchmarks" / "zoo")
SURE = ("fatal", "silent")
UNTESTED = {"untested-torch", "untested-python"}
"""Rules on the installed versions: they say nothing of a model."""
TRUE = {("efficientnet_b0", "averaged-beyond-the-end")}
"""Its last pool is 1280 by 1280 over 7 by 7: torch divides by 49, Core ML and the runtime by 1,638,400."""


def line_of(root: Path, name: str) -> str:
    """Convert one model, and look at it."""
    from coreml_gate.config.load import load_config  # noqa: PLC0415 - the parent needs none of it
    from coreml_gate.conversion import convert  # noqa: PLC0415
    from coreml_gate.engines.samples import load_samples  # noqa: PLC0415
    from coreml_gate.engines.source import load_source  # noqa: PLC0415
    from coreml_gate.mil.package import read_package  # noqa: PLC0415
    from coreml_gate.rules.catalogue import look  # noqa: PLC0415
    from coreml_gate.torch_graph import read_graph  # noqa: PLC0415

    config = next(model for model in load_config(root, None).model if model.name == name)
    source = load_source(config.source, root)
    with tempfile.TemporaryDirectory() as folder:
        samples = load_samples(config, source, root, 1)
        made = convert(source, samples, config, Path(folder))
        if made.package is None or made.reference is None:
            return f"{name:<22}not converted: {made.facts.message.splitlines()[0]}"
        started = time.perf_counter()
        shipped, wide = read_package(made.package), read_package(made.reference)
        matches = [
            match
            for match in look(config, shipped, wide, read_graph(made.graph))
            if match.rule not in UNTESTED
        ]
        seconds = time.perf_counter() - started
    counts = Counter(match.severity for match in matches)
    false = [
        f"{match.rule} ({match.places[0].text})"
        for match in matches
        if match.severity in SURE and (name, match.rule) not in TRUE
    ]
    shown = " ".join(
        f"{severity} {counts[severity]}" for severity in ("fatal", "silent", "unknown", "perf", "info")
    )
    named = ", ".join(match.rule for match in matches)
    return (
        f"{name:<22}{shown}  {seconds:.2f} s  {'FALSE: ' + '; '.join(false) + ' ' if false else ''}[{named}]"
    )


def names_of(root: Path) -> list[str]:
    from coreml_gate.config.load import load_config  # noqa: PLC0415 - the child has its own

    return [model.name for model in load_config(root, None).model]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="", help="only these, separated by commas")
    parser.add_argument("--child", nargs=2, metavar=("ROOT", "MODEL"), help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)
    if parsed.child is not None:
        print(line_of(Path(parsed.child[0]), parsed.child[1]))
        return 0
    wanted = set(filter(None, parsed.models.split(",")))
    asked = [(root, name) for root in TREES for name in names_of(root) if not wanted or name in wanted]
    false = 0
    for root, name in asked:
        command = [sys.executable, __file__, "--child", str(root), name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        last = done.stdout.strip().splitlines()[-1:] or [f"{name:<22}failed: {done.stderr.strip()[-200:]}"]
        false += "FALSE" in last[0]
        print(last[0], flush=True)
    print(f"{len(asked)} models, {false} with a false match of a fatal or silent rule")
    return 1 if false else 0


if __name__ == "__main__":
    sys.exit(main())
