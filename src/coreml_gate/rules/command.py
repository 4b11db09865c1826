"""``coreml-gate rules``: lists the known pitfalls, as text or JSON."""

import argparse
import json

from coreml_gate.arguments import add_json
from coreml_gate.errors import UsageError
from coreml_gate.surroundings import Surroundings


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("rule", nargs="?", help="show one rule, with its evidence and fix")
    add_json(parser)
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print one line per rule, or one rule in full."""
    from coreml_gate.rules.catalogue import RULES  # noqa: PLC0415 - numpy: --help must not pay
    from coreml_gate.rules.document import as_data, described, listing  # noqa: PLC0415 - as above

    if parsed.rule is not None and parsed.rule not in RULES:
        raise UsageError(f"there is no rule `{parsed.rule}`.", "`coreml-gate rules` lists them.")
    chosen = list(RULES.values()) if parsed.rule is None else [RULES[parsed.rule]]
    if parsed.json:
        text = json.dumps([as_data(rule) for rule in chosen], indent=1)
    else:
        text = listing(around.out.width) if parsed.rule is None else described(RULES[parsed.rule])
    around.out.print(text)
    return 0
