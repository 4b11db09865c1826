"""The topics of findings on the run as a whole, which belong to no model and no check."""

from collections.abc import Mapping
from typing import Final

from coreml_gate.checks.check import Topic

OF_THE_RUN: Final[Mapping[str, Topic]] = {
    topic.name: topic
    for topic in (
        Topic(
            "run",
            "Could the gate do its work?",
            why="The run ended before any model was measured: nothing was checked.",
            fix="The message is that of an error: `coreml-gate explain ERROR`, by its name or its exit code.",
            accept="An error cannot be accepted.",
            overridable=False,
        ),
        Topic(
            "policy",
            "Does the change alter the gate's own configuration?",
            why=(
                "A limit that is raised together with the model passes whatever it is meant to stop. The "
                "finding says whose limits judge: those of the base branch, or those of the change."
            ),
            fix="Change limits in a pull request of their own.",
            page="docs/github.md",
            overridable=False,
        ),
        Topic(
            "override",
            "Does every line that accepts a failure count?",
            why="The failure blocks as if the line were not there.",
            fix="The finding says what is missing: the label, the right to write, the date or the reason.",
            page="docs/github.md",
            overridable=False,
        ),
        Topic(
            "record",
            "Are the numbers those of the head?",
            why="Numbers of another commit or a modified work tree say nothing about what would be merged.",
            fix="Measure the head of the pull request, from a clean checkout.",
            accept="It cannot be accepted.",
            page="docs/github.md",
            overridable=False,
        ),
        Topic(
            "creep",
            "What do small steps add up to since the last release?",
            why=(
                "Many small steps, each within the limits, add up: users of the last release get all of them "
                "at once."
            ),
            fix="Look at the pull requests since the release; `coreml-gate judge` compares their Records.",
            page="docs/github.md",
            overridable=False,
        ),
    )
}
"""In reading order, by the ``check`` of their findings."""
