"""``coreml-gate explain``: what a code means, why it matters, how to fix it and how to accept it."""

import argparse
from dataclasses import asdict

from coreml_gate.arguments import add_json
from coreml_gate.surroundings import Surroundings


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "code",
        nargs="?",
        help="a check, rule, known bug, error or exit code; without it, list all",
    )
    add_json(parser)
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print the explanations of one code, or the list of all codes."""
    from coreml_gate.explain.document import described, listing  # noqa: PLC0415 - the tables take time
    from coreml_gate.explain.table import all_explanations, explained  # noqa: PLC0415 - as above

    if parsed.json:
        known = all_explanations() if parsed.code is None else explained(parsed.code)
        around.print_json([asdict(each) for each in known])
        return 0
    width = around.out.width
    found = () if parsed.code is None else explained(parsed.code)
    text = "\n\n".join(described(each, width) for each in found) if found else listing(width)
    around.out.print(text)
    return 0
