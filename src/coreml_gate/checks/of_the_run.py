"""The topics of findings on the run as a whole, which belong to no model and no check."""

from collections.abc import Mapping
from typing import Final

from coreml_gate.checks.check import Topic

OF_THE_RUN: Final[Mapping[str, Topic]] = {
    topic.name: topic
    for topic in (
        Topic(
            "run",
            "Did the gate run to its end?",
            why="The run ended before any model was measured, so nothing was checked.",
            fix="The message is that of an error: see `coreml-gate explain ERROR`, with its name or exit "
            "code.",
            accept="An error cannot be accepted.",
            overridable=False,
        ),
        Topic(
            "policy",
            "Does the change alter the gate's own configuration?",
            why=(
                "A limit that is raised together with a model no longer stops what it should stop. The "
                "finding shows which limits were used: those of the base branch, or those of the change."
            ),
            fix="Change limits in a separate pull request.",
            page="docs/github.md",
            overridable=False,
        ),
        Topic(
            "override",
            "Is every line that accepts a failure valid?",
            why="An invalid line has no effect: the failure still blocks the merge.",
            fix="The finding names what is missing: the label, write permission, the date or the reason.",
            page="docs/github.md",
            overridable=False,
        ),
        Topic(
            "record",
            "Do the numbers belong to the head commit?",
            why="Numbers of another commit or of a modified work tree do not show what would be merged.",
            fix="Measure the head of the pull request, from a clean checkout.",
            accept="It cannot be accepted.",
            page="docs/github.md",
            overridable=False,
        ),
        Topic(
            "creep",
            "How far did the metrics drift since the last release?",
            why=(
                "Many small changes, each within the limits, add up, and users of the last release get all "
                "of them at once."
            ),
            fix="Look at the pull requests since the release; `coreml-gate judge` compares their Records.",
            page="docs/github.md",
            overridable=False,
        ),
    )
}
"""In reading order, by the ``check`` of their findings."""
