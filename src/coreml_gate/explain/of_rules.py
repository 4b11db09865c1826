"""Explanations of the rules and of the converter's known bugs."""

from collections.abc import Iterator

from coreml_gate.diagnose.known_bugs import KNOWN_BUGS, KnownBug
from coreml_gate.explain.explanation import OVERRIDE, Explanation
from coreml_gate.rules.catalogue import RULES
from coreml_gate.rules.document import linked
from coreml_gate.rules.rule import SEVERITIES, Rule
from coreml_gate.wording import listed


def rule_explanations() -> Iterator[Explanation]:
    """One per rule, in reading order."""
    return map(_of_rule, RULES.values())


def bug_explanations() -> Iterator[Explanation]:
    """One per known bug of the converter."""
    return (_of_bug(bug, release) for release, bugs in KNOWN_BUGS.items() for bug in bugs)


def _of_rule(rule: Rule) -> Explanation:
    sources = "; ".join(linked(item)[1] or item for item in rule.evidence)
    return Explanation(
        code=rule.id,
        kind="rule",
        meaning=rule.summary,
        why=f"`{rule.severity}`: {SEVERITIES[rule.severity]}. coremltools: {rule.versions}.\n"
        f"Evidence: {sources}.",
        fix=rule.fix,
        accept=f'Switch it off for the model, with the reason: `off = {{ "{rule.id}" = "REASON" }}` under '
        "`[model.rules]`.",
        page=f"docs/rules.md#{rule.id}",
    )


def _of_bug(bug: KnownBug, release: str) -> Explanation:
    fixed = f"fixed in {bug.fixed_in}" if bug.fixed_in else "no release has it fixed"
    issue = f" Public issue: {linked(bug.issue)[1]}." if bug.issue else ""
    return Explanation(
        code=bug.id,
        kind="known bug",
        meaning=f"coremltools {release} converts {listed(bug.torch_operations)} wrongly: {bug.what}.",
        why="The bug is in the saved program, so every engine and every phone meets it, in float32 too; "
        f"{fixed}.{issue}",
        fix=bug.workaround,
        accept="It shows as a failure of `parity`. " + OVERRIDE.format(code="parity"),
        page="docs/known-converter-bugs.md",
    )
