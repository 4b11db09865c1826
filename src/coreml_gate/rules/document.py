"""The rules as text for a terminal, as JSON, and as docs/rules.md.

``python -m coreml_gate.rules.document docs/rules.md`` writes the page.
"""

import ast
import re
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final

from coreml_gate.rules.catalogue import GROUPS, RULES, Rule
from coreml_gate.rules.rule import SEVERITIES
from coreml_gate.wording import hanging

_ISSUE: Final = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)#(?P<number>\d+)")
_READS: Final = {
    "program": "the program of the package",
    "twins": "the program and its float32 twin",
    "package": "the package's interface and files",
    "graph": "the captured torch graph",
    "setting": "the configuration and the installed versions",
}


def page() -> str:
    """The whole page."""
    counts = Counter(rule.severity for rule in RULES.values())
    rows = "".join(f"| `{name}` | {counts[name]} | {text} |\n" for name, text in SEVERITIES.items())
    return (
        "# Rules\n\n"
        f"Every model is checked for {len(RULES)} known pitfalls. A rule reads the saved package, the "
        "captured torch graph or the configuration,\nand runs nothing. `coreml-gate rules` lists all rules, "
        "`coreml-gate rules RULE` shows one.\n\n"
        f"| Severity | Rules | Meaning |\n|---|---|---|\n{rows}\n"
        "On the 17 models of the zoo and the examples, which all convert, no `fatal` or `silent` rule gives "
        "a false alarm\n(`python benchmarks/rules/bench.py`). One alarm is right: `averaged-beyond-the-end` "
        "on efficientnet_b0, whose last pool Core ML\ndivides by 1,638,400 and torch by 49.\n\n"
        "The comment shows only matches that the baseline does not have. Switch a rule off for one model, "
        "with the reason:\n\n"
        '```toml\n[model.rules]\noff = { "run-time-gather" = "the table has 64 rows" }\n```\n\n'
        + "\n".join(_group(name, rules) for name, rules in GROUPS.items())
    )


def _group(name: str, rules: tuple[Rule, ...]) -> str:
    return f"## {name}\n\n" + "\n".join(_rule(rule) for rule in rules)


def _rule(rule: Rule) -> str:
    sentence, *code = rule.fix.splitlines()
    block = f"\n```{_language(code)}\n{chr(10).join(code)}\n```\n" if code else ""
    sources = ", ".join(_link(item) for item in rule.evidence)
    return (
        f"### `{rule.id}`\n\n"
        f"{rule.summary}\n\n"
        f"Severity: **{rule.severity}**. Reads {_READS[rule.part]}. coremltools: {rule.versions}.\n"
        f"Evidence: {sources}.\n\n{sentence}\n{block}"
    )


def _language(code: list[str]) -> str:
    text = "\n".join(code)
    for language, parse, error in (("toml", tomllib.loads, ValueError), ("python", ast.parse, SyntaxError)):
        try:
            parse(text)
        except error:
            continue
        return language
    return "text"


def _link(item: str) -> str:
    text, address = linked(item)
    return f"[{text}]({address})" if address else text


def linked(item: str) -> tuple[str, str]:
    """The text of a piece of evidence and its address; GitHub redirects issues to pull requests."""
    issue = _ISSUE.fullmatch(item)
    if issue is not None:
        return item, f"https://github.com/{issue['repository']}/issues/{issue['number']}"
    address, _, remark = item.partition(" ")
    if address.startswith("https://"):
        return remark.strip("()") or address.removeprefix("https://"), address
    return item, ""


def as_data(rule: Rule) -> dict[str, object]:
    """A rule as JSON; the keys are an interface."""
    return {
        "id": rule.id,
        "group": next(group for group, rules in GROUPS.items() if rule in rules),
        "severity": rule.severity,
        "looks-at": rule.part,
        "summary": rule.summary,
        "evidence": [linked(item)[1] or item for item in rule.evidence],
        "fix": rule.fix,
        "coremltools": rule.versions,
    }


def listing(width: int) -> str:
    """One line per rule, by group."""
    lines: list[str] = []
    for group, rules in GROUPS.items():
        lines += [group, *(hanging(_start(rule), rule.summary, width) for rule in rules), ""]
    return "\n".join([*lines, f"{len(RULES)} rules. `coreml-gate rules RULE` shows all of one."])


def _start(rule: Rule) -> str:
    return f"  {rule.severity:<8}{rule.id:<29}"


def described(rule: Rule) -> str:
    """One rule in full."""
    sources = [f"    {linked(item)[1] or item}" for item in rule.evidence]
    fix = [f"    {line}" for line in rule.fix.splitlines()]
    head = f"{rule.id} ({rule.severity}; coremltools: {rule.versions})"
    return "\n".join([head, rule.summary, "Evidence:", *sources, "Fix:", *fix])


def main(path: Path) -> None:
    """Write the page."""
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
