"""``coreml-gate rules``: all known pitfalls, for people or for machines."""

import argparse
import json
from pathlib import Path
from typing import Any, Final, Protocol

from coreml_gate.errors import UsageError
from coreml_gate.rules import GROUPS, RULES, Rule
from coreml_gate.rules.document import linked

_INDENT: Final = "    "


class _Around(Protocol):
    @property
    def folder(self) -> Path: ...
    @property
    def out(self) -> Any: ...  # noqa: ANN401  # a rich console


def add_command(commands: Any) -> None:  # noqa: ANN401  # argparse's own type is private
    """Describe the command to the parser."""
    parser = commands.add_parser("rules", help="list the known pitfalls that models are checked for")
    parser.add_argument("rule", nargs="?", help="one rule, with its evidence and its fix")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: _Around) -> int:
    """Print one line per rule, or all of one rule."""
    if parsed.rule is not None and parsed.rule not in RULES:
        raise UsageError(f"there is no rule `{parsed.rule}`.", "`coreml-gate rules` lists them.")
    chosen = list(RULES.values()) if parsed.rule is None else [RULES[parsed.rule]]
    if parsed.json:
        text = json.dumps([as_data(rule) for rule in chosen], indent=1)
    else:
        text = listing() if parsed.rule is None else described(RULES[parsed.rule])
    around.out.print(text, markup=False, highlight=False)
    return 0


def as_data(rule: Rule) -> dict[str, object]:
    """A rule for machines; the keys are an interface."""
    return {
        "id": rule.id,
        "group": next(group for group, rules in GROUPS.items() if rule in rules),
        "severity": rule.severity,
        "looks-at": rule.part,
        "question": rule.question,
        "evidence": [linked(item)[1] or item for item in rule.evidence],
        "fix": rule.fix,
        "coremltools": rule.versions,
    }


def listing() -> str:
    """All rules, one per line below their group."""
    lines: list[str] = []
    for group, rules in GROUPS.items():
        lines += [group, *(f"  {rule.severity:<7}{rule.id:<27}{rule.question}" for rule in rules), ""]
    return "\n".join([*lines, f"{len(RULES)} rules. `coreml-gate rules RULE` tells more of one."])


def described(rule: Rule) -> str:
    """All that is known of one rule."""
    sources = [f"{_INDENT}{linked(item)[1] or item}" for item in rule.evidence]
    fix = [f"{_INDENT}{line}" for line in rule.fix.splitlines()]
    head = f"{rule.id} ({rule.severity}; coremltools: {rule.versions})"
    return "\n".join([head, rule.question, "Evidence:", *sources, "Fix:", *fix])
