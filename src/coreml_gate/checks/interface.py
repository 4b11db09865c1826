"""Can an app that calls the baseline's package also call this one?

The app's code names inputs and outputs. A change that can break a caller fails; one that cannot (another
output, an input that is now optional) is a warning. A different toolchain is no excuse, because the app
breaks all the same; its versions are only listed in the details.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence, skipped
from coreml_gate.frozen import changed
from coreml_gate.record import FeatureFacts, PackageFacts
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted, first_and_more, joined

NAME: Final = "interface"
SUBJECT: Final = "interface"

Role = Literal["input", "output", "state"]
Features = tuple[FeatureFacts, ...]

_HINT: Final = (
    "change the app together with the model, or keep {}; "
    'limits.interface.on-breaking-change = "warn" makes such changes a warning.'
)
_NAMES: Final = "the names (`output`, `name` of `[[model.input]]`)"
_SHAPES: Final = "the shapes and types (`[[model.input]]`, or those of your script)"
_TARGET: Final = "`deployment-target`"


@dataclass(frozen=True)
class Change:
    """One difference between two interfaces."""

    text: str
    breaks: bool
    kept_by: str
    """What the configuration has to keep for callers not to notice."""


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding for all breaking changes and one for all others, or a pass."""
    head = evidence.head.package
    base = evidence.before.package
    if base is None:
        return (skipped(NAME, SUBJECT, "no baseline to compare with."),)
    if head is None:
        return (evidence.unmeasured(NAME, SUBJECT),)
    changes = tuple(_changes(base, head))
    if not changes:
        return (_finding(Status.PASS, f"{_inventory(head)}, as in the baseline"),)
    breaking = tuple(change.text for change in changes if change.breaks)
    kept = joined(list(dict.fromkeys(change.kept_by for change in changes if change.breaks)) or [""])
    harmless = tuple(change.text for change in changes if not change.breaks)
    groups = (
        (
            breaking,
            Status(evidence.limits.interface.on_breaking_change),
            "can break callers",
            _HINT.format(kept),
        ),
        (harmless, Status.WARN, "callers are not affected by", ""),
    )
    return tuple(
        _finding(
            status,
            f"{counted(len(texts), 'change')} that {effect}: {first_and_more(texts)}",
            (*texts, *evidence.toolchain_changes),
            hint,
        )
        for texts, status, effect, hint in groups
        if texts
    )


def _finding(status: Status, text: str, details: tuple[str, ...] = (), hint: str = "") -> Finding:
    return Finding(
        check=NAME,
        status=status,
        subject=SUBJECT,
        message=f"interface: {text}.",
        hint=hint,
        details=details,
    )


def _inventory(package: PackageFacts) -> str:
    counts = (("input", package.inputs), ("output", package.outputs), ("state", package.states))
    return ", ".join(counted(len(features), role) for role, features in counts if features)


def _changes(base: PackageFacts, head: PackageFacts) -> Iterator[Change]:
    yield from _feature_changes("input", base.inputs, head.inputs)
    yield from _feature_changes("output", base.outputs, head.outputs)
    yield from _feature_changes("state", base.states, head.states)
    yield from _target_change(base.deployment_target, head.deployment_target)


def _feature_changes(role: Role, base: Features, head: Features) -> Iterator[Change]:
    before = {feature.name: feature for feature in base}
    after = {feature.name: feature for feature in head}
    renamed = _renamed(base, head)
    for name, feature in before.items():
        if name in renamed:
            yield Change(f"{role} `{name}` is now named `{renamed[name]}`", breaks=True, kept_by=_NAMES)
        elif name not in after:
            yield Change(f"{role} `{name}` is gone", breaks=True, kept_by=_NAMES)
        else:
            yield from _differences(role, feature, after[name])
    for name, feature in after.items():
        if name not in before and name not in renamed.values():
            required = role != "output" and not feature.optional
            yield Change(
                f"{role} `{name}` is new{' and required' if required else ''}",
                breaks=required,
                kept_by=_NAMES,
            )


def _renamed(base: Features, head: Features) -> dict[str, str]:
    """Old to new names: features of the same position and type whose names exist on one side only."""
    before, after = {feature.name for feature in base}, {feature.name for feature in head}
    return {
        old.name: new.name
        for old, new in zip(base, head, strict=False)
        if old.name not in after and new.name not in before and changed(old, name=new.name) == new
    }


def _differences(role: Role, base: FeatureFacts, head: FeatureFacts) -> Iterator[Change]:
    thing = f"{role} `{base.name}`"
    for field in ("kind", "dtype", "shape"):
        before, after = getattr(base, field), getattr(head, field)
        if before != after:
            was, is_ = (each or "open" for each in (before, after))  # a shape that follows from the inputs'
            yield Change(f"{thing}: {field} {was} becomes {is_}", breaks=True, kept_by=_SHAPES)
    if base.flexibility != head.flexibility:
        widened = not base.flexibility and base.shape == head.shape
        before, after = (f"shapes {each.flexibility or each.shape}" for each in (base, head))
        yield Change(f"{thing}: {before} become {after}", breaks=not widened, kept_by=_SHAPES)
    if base.optional != head.optional:
        now = "optional" if head.optional else "required"
        yield Change(f"{thing} is now {now}", breaks=base.optional, kept_by=_SHAPES)


def _target_change(base: str, head: str) -> Iterator[Change]:
    """A raised target excludes older systems; a target that cannot be compared counts as raised."""
    if base == head:
        return
    before, after = _version(base), _version(head)
    lowered = before is not None and after is not None and after < before
    yield Change(f"deployment target {base} becomes {head}", breaks=not lowered, kept_by=_TARGET)


def _version(target: str) -> int | None:
    match = re.fullmatch(r"iOS(\d+)", target)
    return int(match[1]) if match else None


CHECK: Final = Check(
    NAME,
    "Can the app still call the package like the baseline?",
    run,
    limit="no breaking change",
    why=(
        "The app's code names inputs and outputs. With another name or shape it still compiles and ships, "
        "but fails at run time."
    ),
    fix="Keep the names with `output` and `[[model.input]]`, or change the app in the same pull request.",
    accept='`limits.interface.on-breaking-change = "warn"` makes such changes warnings.',
    page="docs/configuration.md",
    needs="baseline",
)
