"""``coreml-gate reproduce``: writes a package with one operation, to attach to an issue."""

import argparse
from pathlib import Path

from coreml_gate.arguments import OUTPUT, add_json, add_model
from coreml_gate.config.load import load_model
from coreml_gate.errors import UsageError
from coreml_gate.surroundings import Surroundings


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument(
        "--operation", required=True, metavar="NAME", help="the operation's name in the float32 twin"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="the folder to write")
    add_json(parser)
    parser.add_argument(
        "--record",
        type=Path,
        default=OUTPUT,
        metavar="DIR",
        help="results of an earlier run; default: %(default)s",
    )
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Write the folder, and print the error of the operation."""
    from coreml_gate.conversion.conversion import REFERENCE  # noqa: PLC0415 - torch: --help must not pay
    from coreml_gate.diagnose.operation_errors import WORST as NOT_FINITE  # noqa: PLC0415 - as above
    from coreml_gate.diagnose.reproducer import reproduce  # noqa: PLC0415 - as above
    from coreml_gate.engines.mil import load_mil_engine  # noqa: PLC0415 - as above
    from coreml_gate.engines.samples import load_samples  # noqa: PLC0415 - as above
    from coreml_gate.engines.source import load_source  # noqa: PLC0415 - as above
    from coreml_gate.mil.package import read_package  # noqa: PLC0415 - as above

    config, model = load_model(around.folder, parsed.config, parsed.model)
    path = around.folder / parsed.record / "models" / model.name / REFERENCE
    if not path.is_dir():
        raise UsageError(
            f"there is no float32 twin of model `{model.name}` in `{parsed.record}`.",
            f"measure it first: coreml-gate run --model {model.name}",
        )
    package = read_package(path)
    source = load_source(model.source, around.folder)
    samples = load_samples(model, source, around.folder, config.gate.max_samples, package.interface.inputs)
    engine = load_mil_engine(package, "fp32", None, model)
    inputs = [engine.inputs(sample) for sample in samples.samples]
    error = reproduce(package, parsed.operation, inputs, around.folder / parsed.output)
    _print(around, parsed, error if error < NOT_FINITE else None)
    return 0


def _print(around: Surroundings, parsed: argparse.Namespace, error: float | None) -> None:
    """Print the error; ``None`` means that the result in half precision is not finite."""
    if parsed.json:
        found = {"operation": parsed.operation, "rms_error": error}
        around.print_json({"folder": str(parsed.output), **found})
        return
    finding = "not finite" if error is None else f"off by {error:.2g} of its RMS"
    around.out.print(
        f"{parsed.output}: operation.mlpackage, inputs.npz, expected.npz and reproduce.py; in our runtime "
        f"`{parsed.operation}` in half is {finding}.",
    )
