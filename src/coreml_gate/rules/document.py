"""The rules as text: for a terminal, for machines, and as docs/rules.md.

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
_LOOKS_AT: Final = {
    "program": "the program of the package",
    "twins": "the program beside its float32 twin",
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
        f"{len(RULES)} known pitfalls that every model is checked for. A rule reads the saved package or the "
        "captured torch graph and\nruns nothing. This page is generated: "
        "`python -m coreml_gate.rules.document docs/rules.md`.\n\n"
        f"| Severity | Rules | Meaning |\n|---|---|---|\n{rows}\n"
        "On the 17 models of the zoo and of the examples, which all convert, no `fatal` and no `silent` rule "
        "fires falsely\n(`python benchmarks/rules/bench.py` counts it). One fires rightly: "
        "`averaged-beyond-the-end` on efficientnet_b0, whose last\npool Core ML divides by 1,638,400 and "
        "torch by 49.\n\n"
        "Only what is new against the baseline is shown in the comment. A rule is switched off for one "
        "model, with the reason:\n\n"
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
        f"{rule.question} **{rule.severity}**, looks at {_LOOKS_AT[rule.part]}; "
        f"coremltools: {rule.versions}.\n"
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
    """The words of an evidence and its address; an issue's address shows pull requests as well."""
    issue = _ISSUE.fullmatch(item)
    if issue is not None:
        return item, f"https://github.com/{issue['repository']}/issues/{issue['number']}"
    address, _, remark = item.partition(" ")
    if address.startswith("https://"):
        return remark.strip("()") or address.removeprefix("https://"), address
    return item, ""


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


def listing(width: int) -> str:
    """All rules, each below its group."""
    lines: list[str] = []
    for group, rules in GROUPS.items():
        lines += [group, *(hanging(_start(rule), rule.question, width) for rule in rules), ""]
    return "\n".join([*lines, f"{len(RULES)} rules. `coreml-gate rules RULE` shows all of one."])


def _start(rule: Rule) -> str:
    return f"  {rule.severity:<8}{rule.id:<29}"


def described(rule: Rule) -> str:
    """All that is known of one rule."""
    sources = [f"    {linked(item)[1] or item}" for item in rule.evidence]
    fix = [f"    {line}" for line in rule.fix.splitlines()]
    head = f"{rule.id} ({rule.severity}; coremltools: {rule.versions})"
    return "\n".join([head, rule.question, "Evidence:", *sources, "Fix:", *fix])


def main(path: Path) -> None:
    """Write the page."""
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
