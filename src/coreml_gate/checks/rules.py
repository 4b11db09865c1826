"""Which known pitfalls does the model match that the baseline does not?

A rule sees the program and not its values, so its severity says how sure it can be:

- ``fatal`` fails: such a package works for no input;
- ``silent`` warns: outputs are wrong for some inputs, and parity and precision measure whether for the
user's;
- ``unknown`` is unsure: published tests allow more than one reading of what Core ML computes, so parity and
  precision prove nothing;
- ``perf`` warns if the baseline does not match it, and is only listed without a baseline;
- ``info`` never warns.

A match that the baseline has too is not the change's fault: it is counted and listed in the details. To find
out, operations are compared by the pairs of the programs' outlines, because their names contain counters that
move with every layer. Any other place (an input, a module, a version) is compared by its name and text,
without numbers.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence, skipped
from coreml_gate.frozen import changed
from coreml_gate.mil.diff_matching import plain_name
from coreml_gate.record import RuleMatch, RulePlace
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted, listed

NAME: Final = "rules"
SUBJECT: Final = "rules"
REPORTED_BY_CONVERSION: Final = frozenset(
    {"no-converter", "foreign-operation", "cuda-operation", "quantized-operation", "complex-numbers"}
)
"""Rules on operations without a converter, which the finding of a failed conversion already reports."""
MOST_CODE_LINES: Final = 4
"""Longest code of a fix that a hint shows."""
MOST_FINDINGS: Final = 3
"""Findings of one severity; further rules are listed in the details of the last one."""
_ALONE: Final = {"fatal": Status.FAIL, "silent": Status.WARN, "unknown": Status.UNSURE}
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")
_COUNTER: Final = re.compile(r"_\d+")
"""The counters that the converter appends to names; numbers in module paths are something else."""


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """At most three findings each for fatal, silent and unknown rules, one on speed, one for the rest."""
    matches = evidence.head.rules
    if matches is None:
        return (evidence.unmeasured(NAME, SUBJECT),)
    off = evidence.config.rules.off
    wanted = [
        match
        for match in matches
        if match.rule not in off and match.places and not _is_reported(match, evidence)
    ]
    known = _known(evidence)
    new, old = _compared(wanted, evidence)
    return (
        *_alone(new, known),
        *_slow(new, known, compared=evidence.before.rules is not None),
        *_rest(new, old, evidence),
        *_switched_off(matches, off),
    )


def _is_reported(match: RuleMatch, evidence: Evidence) -> bool:
    """Whether the finding of the conversion already names this operation."""
    conversion = evidence.head.conversion
    if conversion is None or match.rule not in REPORTED_BY_CONVERSION:
        return False
    refused = conversion.refused.operation if conversion.refused else ""
    return bool(conversion.missing or (refused and refused in match.places[0].text))


def _known(evidence: Evidence) -> Mapping[str, int]:
    """How often each rule matches in the baseline."""
    return {rule: match.count for rule, match in _base_matches(evidence).items()}


def _base_matches(evidence: Evidence) -> Mapping[str, RuleMatch]:
    base = evidence.before.rules
    return {match.rule: match for match in base or ()}


def _compared(wanted: Sequence[RuleMatch], evidence: Evidence) -> tuple[list[RuleMatch], list[RuleMatch]]:
    """Matches with a place that the baseline lacks, that place first, and the other matches."""
    known = _base_matches(evidence)
    partners = (evidence.partners if known else None) or {}
    new: list[RuleMatch] = []
    old: list[RuleMatch] = []
    for match in wanted:
        places = _new_places(match, known.get(match.rule), partners)
        rest = tuple(place for place in match.places if place not in places)
        if match.severity == "unknown":  # no better known for standing in the baseline
            new.append(match)
        elif places:
            new.append(changed(match, places=(*places, *rest)))
        else:
            old.append(match)
    return new, old


def _alone(new: Sequence[RuleMatch], known: Mapping[str, int]) -> Iterator[Finding]:
    for severity, status in _ALONE.items():
        matches = [match for match in new if match.severity == severity]
        further = [line for match in matches[MOST_FINDINGS:] for line in _lines(match)]
        for position, match in enumerate(matches[:MOST_FINDINGS], start=1):
            rest = further if position == MOST_FINDINGS else []
            yield _finding(match, status, known.get(match.rule, 0), rest)


def _finding(match: RuleMatch, status: Status, base: int, further: list[str]) -> Finding:
    first = match.places[0]
    more = f", and at {counted(match.count - 1, 'more place')}" if match.count > 1 else ""
    hint, code = fix_in_words(match.fix)
    more_rules = f" {counted(len(further), 'line')} on further rules in the details." if further else ""
    return Finding(
        check=NAME,
        status=status,
        subject=match.rule,
        message=f"`{match.rule}` at `{first.place}`{_written(first)}: {first.text}{more}.{more_rules}",
        value=match.count,
        base=base,
        hint=hint,
        details=(*code, *_lines(match), *further),
        file=first.file,
        line=first.line,
    )


def fix_in_words(fix: str) -> tuple[str, tuple[str, ...]]:
    """The fix as one sentence with its code; long code is returned separately, for the details."""
    sentence, *code = fix.splitlines() or [""]
    lines = [line for line in code if line]
    if len(lines) > MOST_CODE_LINES:
        return f"{sentence.rstrip(':')}; the details have the code.", tuple(code)
    return " ".join([sentence, listed(lines)]).strip(), ()


def _slow(new: Sequence[RuleMatch], known: Mapping[str, int], *, compared: bool) -> Iterator[Finding]:
    slow = [match for match in new if match.severity == "perf"] if compared else []
    if slow:
        first = slow[0].places[0]
        names = listed(match.rule for match in slow)
        yield Finding(
            check=NAME,
            status=Status.WARN,
            subject="speed",
            message=f"{counted(len(slow), 'rule')} on speed or memory not matched in the baseline: {names}; "
            f"first at `{first.place}`{_written(first)}: {first.text}.",
            value=sum(match.count for match in slow),
            base=sum(known.get(match.rule, 0) for match in slow),
            hint=fix_in_words(slow[0].fix)[0],
            details=tuple(line for match in slow for line in _lines(match)),
        )


def _rest(new: Sequence[RuleMatch], old: Sequence[RuleMatch], evidence: Evidence) -> Iterator[Finding]:
    """A pass that lists in its details everything that needs no action."""
    compared = evidence.before.rules is not None
    quiet = {"info"} if compared else {"info", "perf"}
    noted = [match for match in new if match.severity in quiet]
    parts = (
        *((f"{counted(len(noted), 'informational rule')}",) if noted else ()),
        *((f"{counted(len(old), 'rule')} matched as in the baseline",) if old else ()),
    )
    details = tuple(line for match in (*noted, *old) for line in _lines(match))
    yield Finding(
        check=NAME,
        status=Status.PASS,
        subject=SUBJECT,
        message=f"{', '.join(parts) or 'no known pitfall'}.",
        details=details,
    )


def _switched_off(matches: Sequence[RuleMatch], off: Mapping[str, str]) -> Iterator[Finding]:
    fired = {match.rule for match in matches}
    silenced = [f"`{rule}` ({reason})" for rule, reason in off.items() if rule in fired]
    if silenced:
        yield skipped(NAME, "switched off", f"{', '.join(silenced)}.")
    idle = [rule for rule in off if rule not in fired]
    if idle:
        reason = f"{listed(idle)} matched nothing, or is not the name of a rule: remove it from `rules.off`."
        yield skipped(NAME, "switched off", reason)


def _lines(match: RuleMatch) -> list[str]:
    evidence = f" [{match.evidence}]" if match.evidence else ""
    hidden = match.count - len(match.places)
    places = [f"    `{place.place}`{_written(place)}: {place.text}" for place in match.places]
    more = [f"    and {hidden} more"] if hidden > 0 else []
    return [f"{match.severity}: `{match.rule}`, {counted(match.count, 'place')}{evidence}", *places, *more]


def _written(place: RulePlace) -> str:
    return f" ({place.file}:{place.line})" if place.file else ""


def _new_places(
    head: RuleMatch, base: RuleMatch | None, partners: Mapping[str, str]
) -> tuple[RulePlace, ...]:
    """The head's places without a partner in the baseline, in order.

    A Record keeps only the first few places of a rule; if there are more, their numbers are compared.

    :param partners: For each operation of the head the baseline's, by plain names; empty for a new one.
    """
    if base is None:
        return head.places
    if not _is_whole(head) or not _is_whole(base):
        return (head.places[base.count :] or head.places[-1:]) if head.count > base.count else ()
    themselves = {name: name for name in partners.values()}
    known = Counter(_identity(place, themselves) for place in base.places)
    found: list[RulePlace] = []
    for place in head.places:
        identity = _identity(place, partners)
        if known[identity]:
            known[identity] -= 1
        else:
            found.append(place)
    return tuple(found)


def _is_whole(match: RuleMatch) -> bool:
    return match.count == len(match.places)


def _identity(place: RulePlace, partners: Mapping[str, str]) -> Hashable:
    name = plain_name(place.place)
    if name in partners:
        return partners[name]
    return _NUMBER.sub("#", place.text), _COUNTER.sub("_#", name)


CHECK: Final = Check(
    NAME,
    "Does the model match a known pitfall?",
    run,
    limit="no fatal one",
    why="A known pitfall applies to the model; the rule's severity shows what it causes.",
    fix="The finding names the rule and its fix; `coreml-gate explain RULE` shows both in full.",
    accept='Switch the rule off with the reason: `off = { "RULE" = "REASON" }` under `[model.rules]`.',
    page="docs/rules.md",
)
