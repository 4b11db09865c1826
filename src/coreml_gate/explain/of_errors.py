"""The errors: what ended the gate's work, and with which exit code."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from coreml_gate.errors import (
    ArtifactError,
    BaseBuildError,
    ConfigError,
    ConversionError,
    DeviceError,
    DirtyTreeError,
    EvaluateError,
    EventError,
    GateError,
    GitHubError,
    InputError,
    MeasuringError,
    MissingCommitError,
    OutputError,
    PackageError,
    RateLimitError,
    RecordError,
    RepositoryError,
    SamplesError,
    SourceError,
    TokenError,
    UnknownModelError,
    UnsupportedOperationsError,
    UsageError,
    WorkerError,
)
from coreml_gate.explain.explanation import Explanation

_NO_WAY: Final = "An error cannot be accepted: the gate could not do its work, as its exit code shows."


@dataclass(frozen=True)
class _Fix:
    """The way out of an error, and the page that has more."""

    text: str
    page: str


FIXES: Final[Mapping[type[GateError], _Fix]] = {
    UsageError: _Fix("`coreml-gate COMMAND --help` lists what a command takes.", "README.md"),
    ConfigError: _Fix(
        "All problems are listed with their lines; docs/configuration.md has every key with its type.",
        "docs/configuration.md",
    ),
    UnknownModelError: _Fix(
        "Name a model of the configuration; the hint lists them.", "docs/configuration.md"
    ),
    SourceError: _Fix(
        "The message has the line that raised. Run the callable of `source` alone, in the environment of the "
        "gate: a missing package is the most frequent cause.",
        "docs/configuration.md",
    ),
    SamplesError: _Fix(
        "Yield tensors, tuples of tensors, or dicts by input name, all of one dtype and of allowed shapes; "
        "give flexible dimensions a range in `[[model.input]]`.",
        "docs/configuration.md",
    ),
    EvaluateError: _Fix("Return finite numbers by name, as `{'accuracy': 0.98}`.", "docs/configuration.md"),
    PackageError: _Fix(
        "Write the package anew with `MLModel.save`. Packages in Git LFS: `git lfs pull`.",
        "docs/own-conversion.md",
    ),
    UnsupportedOperationsError: _Fix(
        "Run the model on a Mac, where Core ML itself computes; docs/operations.md lists what is known here.",
        "docs/operations.md",
    ),
    RecordError: _Fix("Measure again: `coreml-gate run` or `collect` writes a new Record.", "docs/report.md"),
    RepositoryError: _Fix("Run in a git work tree, or leave out `--base`.", "docs/other-ci.md"),
    MissingCommitError: _Fix(
        "Fetch the whole history: `fetch-depth: 0` in actions/checkout, `git fetch --unshallow` elsewhere.",
        "docs/github.md",
    ),
    DirtyTreeError: _Fix("Commit the changes, or add `--allow-dirty`.", "docs/other-ci.md"),
    BaseBuildError: _Fix(
        "Nothing to do in the pull request: it is judged by the absolute limits. The message says what is "
        "wrong with the base.",
        "docs/configuration.md",
    ),
    WorkerError: _Fix(
        "The last lines of the child's output are in the details. Raise `step-timeout-s` or `step-memory-mb` "
        "where the model honestly needs more.",
        "docs/configuration.md",
    ),
    MeasuringError: _Fix("The message is that of the problem in the child process.", "docs/configuration.md"),
    InputError: _Fix("Give every input of the package by its name, in its shape.", "docs/api.md"),
    GitHubError: _Fix(
        "Run the job again; https://www.githubstatus.com says whether GitHub has a fault.", "docs/github.md"
    ),
    TokenError: _Fix("Give the job the permissions that docs/github.md lists.", "docs/github.md#permissions"),
    RateLimitError: _Fix("Run the job again later, or run fewer gates at once.", "docs/github.md"),
    EventError: _Fix("Start the workflow by `push`, `pull_request` or `merge_group`.", "docs/github.md"),
    ArtifactError: _Fix(
        "Run the measuring job again; artifacts expire after `retention-days`.", "docs/github.md"
    ),
    DeviceError: _Fix("Connect an iPhone with developer mode to a Mac with Xcode.", "docs/variants.md"),
    OutputError: _Fix("Free space, or choose another `--output`.", "docs/other-ci.md"),
    ConversionError: _Fix("As for `conversion`: `coreml-gate explain conversion`.", "docs/own-conversion.md"),
}
"""Every error, in the order of their exit codes: the way out, and the page."""


def explanations() -> Iterator[Explanation]:
    """One per error."""
    for error, fix in FIXES.items():
        yield Explanation(
            code=error.code,
            kind="error",
            meaning=inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0].replace("``", "`"),
            why=f"The gate ended with exit code {error.exit_code}: what it did not measure, it did not pass.",
            fix=fix.text,
            accept=_NO_WAY,
            page=fix.page,
        )
