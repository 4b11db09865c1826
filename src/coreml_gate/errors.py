"""Every error that ends the gate's work, each with a stable exit code.

Exit code 0 is a pass, 1 means that a model must not merge, 2 and above that the gate could not do its work::

    GateError                     the root; never raised itself
    ├── UsageError            2   the command line is wrong (argparse uses 2 as well)
    ├── ConfigError           3   the configuration file is missing, malformed or holds an unknown key
    ├── UnknownModelError     4   a model is named that the configuration does not have
    ├── SourceError           5   the source could not be imported, built or run
    ├── SamplesError          6   the samples are empty, of the wrong shape or of the wrong dtype
    ├── EvaluateError         7   the user's metric raised or returned something other than numbers
    ├── PackageError          8   a package is truncated, malformed or lacks its weights
    │   └── UnsupportedOperationsError  9   a package contains operations that our runtime lacks
    ├── RecordError          10   a record is malformed or of another schema version
    ├── RepositoryError      11   git is missing, this is not a repository, or a model has too many files
    │   ├── MissingCommitError   12   the base commit is not in this clone (shallow clone, typo)
    │   └── DirtyTreeError       13   tracked files have uncommitted changes
    ├── BaseBuildError       14   the base commit does not build, so there is no baseline
    ├── WorkerError          15   the child process failed outside of the user's code
    ├── MeasuringError        *   a model could not be measured; the exit code is that of its problem
    ├── InputError           16   an input of a prediction is missing, unknown or of the wrong shape
    ├── GitHubError          17   GitHub refused a request, failed, or could not be reached
    │   ├── TokenError           18   the token is missing, wrong, or lacks a permission
    │   └── RateLimitError       19   GitHub requires a wait longer than the gate allows
    ├── EventError           20   the workflow was started by an event that the gate does not support
    ├── ArtifactError        21   an artifact is expired, incomplete, too large, or not what its name says
    ├── DeviceError          22   no iPhone is reachable: no Mac, no Xcode, no device, or a hosted runner
    ├── OutputError          23   a file cannot be written: disk full, read-only, name taken, output closed
    └── ConversionError      24   `coreml_gate.convert` made no package; a run reports it as a finding instead

70 means a defect of coreml-gate itself.
"""

import re
from collections.abc import Sequence
from typing import ClassVar, Final

INTERNAL_ERROR_EXIT_CODE = 70
_NOT_FOUND: Final = 404
_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


class GateError(Exception):
    """The gate could not do its work.

    All texts are raw; whatever shows them escapes them (``foreign/log.py``, ``foreign/escape.py``).
    ``message``, ``hint`` and each of ``lines`` are single lines: a line break in one came from outside and is
    not shown.
    """

    exit_code: ClassVar[int]
    code: ClassVar[str]
    """Its name for `coreml-gate explain`: ``samples-error`` for ``SamplesError``."""
    fix: ClassVar[str]
    """How to fix any error of the class, for `coreml-gate explain`."""
    page: ClassVar[str]
    """The page of the documentation on it."""

    def __init_subclass__(cls) -> None:
        cls.code = _WORDS.sub("-", cls.__name__.replace("GitHub", "Github")).lower()

    def __init__(self, message: str, hint: str = "", *, lines: Sequence[str] = (), example: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        """How to fix it, shown below the message."""
        self.lines = tuple(lines)
        """Items of the message, one line each."""
        self.example = example
        """Text of our own to copy from, of several lines, shown below the hint."""

    @property
    def details(self) -> tuple[str, ...]:
        """All lines below message and hint."""
        return (*self.lines, *self.example.splitlines())

    @property
    def sentence(self) -> str:
        """The message and its items as one line."""
        return f"{self.message} {'; '.join(self.lines)}" if self.lines else self.message

    def __str__(self) -> str:
        hint = (f"Hint: {self.hint}",) if self.hint else ()
        example = (self.example,) if self.example else ()
        return "\n".join((self.message, *(f"  {line}" for line in self.lines), *hint, *example))


class UsageError(GateError):
    """The arguments of the command line are wrong or do not fit together."""

    exit_code = 2
    fix = "`coreml-gate COMMAND --help` lists what a command takes."
    page = "README.md"


class ConfigError(GateError):
    """The configuration file is missing, malformed, or has an unknown key."""

    exit_code = 3
    fix = "The message lists all problems with their lines; docs/configuration.md has every key and its type."
    page = "docs/configuration.md"


class UnknownModelError(GateError):
    """The configuration has no model of that name."""

    exit_code = 4
    fix = "Name a model of the configuration; the hint lists them."
    page = "docs/configuration.md"


class SourceError(GateError):
    """The source could not be imported, built or run."""

    exit_code = 5
    fix = (
        "The message names the line that raised. Run the callable of `source` alone, in the gate's "
        "environment: the most frequent cause is a missing package."
    )
    page = "docs/configuration.md"


class SamplesError(GateError):
    """The samples are empty, of the wrong shape or of the wrong dtype."""

    exit_code = 6
    fix = (
        "Yield tensors, tuples of tensors, or dicts by input name, all of one dtype and of allowed shapes; "
        "give flexible dimensions a range in `[[model.input]]`."
    )
    page = "docs/configuration.md"


class EvaluateError(GateError):
    """The user's metric raised, or did not return finite numbers by name."""

    exit_code = 7
    fix = "Return finite numbers by name, such as `{'accuracy': 0.98}`."
    page = "docs/configuration.md"


class PackageError(GateError):
    """A package is truncated, malformed or lacks its weights."""

    exit_code = 8
    fix = "Save the package again with `MLModel.save`. If it is in Git LFS, run `git lfs pull`."
    page = "docs/own-conversion.md"
    operation = ""
    """The operation that could not run, or empty."""


class UnsupportedOperationsError(PackageError):
    """A package contains operations that our runtime does not support: ``unsure``, not a failure."""

    exit_code = 9
    fix = "Run the model on a Mac, with Core ML itself; docs/operations.md lists the supported operations."
    page = "docs/operations.md"

    def __init__(self, operations: tuple[str, ...]) -> None:
        listed = ", ".join(f"`{operation}`" for operation in operations)
        super().__init__(
            f"the MIL runtime does not support these operations of the package: {listed}.",
            "numerical checks of this model are unsure on Linux; run them with Core ML on a Mac.",
        )
        self.operations = operations


class RecordError(GateError):
    """A Record is malformed, truncated, or of another schema version."""

    exit_code = 10
    fix = "Measure again: `coreml-gate run` or `collect` writes a new Record."
    page = "docs/report.md"


class RepositoryError(GateError):
    """Git is missing, the folder is not a repository, or its contents cannot be planned."""

    exit_code = 11
    fix = "Run in a git work tree, or leave out `--base`."
    page = "docs/other-ci.md"


class MissingCommitError(RepositoryError):
    """The base commit is not in this clone."""

    exit_code = 12
    fix = "Fetch the whole history: `fetch-depth: 0` in actions/checkout, `git fetch --unshallow` elsewhere."
    page = "docs/github.md"


class DirtyTreeError(RepositoryError):
    """Tracked files have uncommitted changes, so the head is not a commit."""

    exit_code = 13
    fix = "Commit the changes, or add `--allow-dirty`."
    page = "docs/other-ci.md"


class BaseBuildError(GateError):
    """The base commit does not build, so there is no baseline."""

    exit_code = 14
    fix = (
        "Repair the base branch; the message has the reason. Meanwhile pull requests are judged by "
        "absolute limits."
    )
    page = "docs/configuration.md"


class WorkerError(GateError):
    """The child process failed outside of the user's code."""

    exit_code = 15
    fix = (
        "The details contain the last lines of the child's output. If the model really needs more time or "
        "memory, raise `step-timeout-s` or `step-memory-mb`."
    )
    page = "docs/configuration.md"


class MeasuringError(GateError):
    """A model could not be measured in its child process; the exit code is that of the problem there."""

    exit_code = 15
    fix = "The message is that of the problem in the child process."
    page = "docs/configuration.md"

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code  # type: ignore[misc]  # an instance knows better than its class here


class InputError(GateError):
    """An input of a prediction is missing, unknown or does not fit the package's interface."""

    exit_code = 16
    fix = "Give every input of the package by its name, in its shape."
    page = "docs/api.md"


class GitHubError(GateError):
    """GitHub refused a request, failed, or could not be reached; ``status`` is the HTTP status, if any."""

    exit_code = 17
    fix = "Run the job again; https://www.githubstatus.com shows whether GitHub has a problem."
    page = "docs/github.md"

    def __init__(
        self, message: str, hint: str = "", status: int | None = None, *, lines: Sequence[str] = ()
    ) -> None:
        super().__init__(message, hint, lines=lines)
        self.status = status

    @property
    def is_missing(self) -> bool:
        """Whether GitHub knows no such thing, or hides it from this token."""
        return self.status == _NOT_FOUND


class TokenError(GitHubError):
    """The token is missing, wrong, or lacks a permission."""

    exit_code = 18
    fix = "Give the job the permissions that docs/github.md lists."
    page = "docs/github.md#permissions"


class RateLimitError(GitHubError):
    """GitHub requires a wait longer than the gate allows."""

    exit_code = 19
    fix = "Run the job again later, or run fewer gates at once."
    page = "docs/github.md"


class EventError(GateError):
    """The workflow was started by an event that the gate does not support."""

    exit_code = 20
    fix = "Start the workflow by `push`, `pull_request` or `merge_group`."
    page = "docs/github.md"


class ArtifactError(GateError):
    """An artifact has expired, is incomplete or too large, or is not what its name claims."""

    exit_code = 21
    fix = "Run the measuring job again; artifacts expire after `retention-days`."
    page = "docs/github.md"


class DeviceError(GateError):
    """No iPhone or iPad is reachable from this machine."""

    exit_code = 22
    fix = "Connect an iPhone in developer mode to a Mac with Xcode."
    page = "docs/variants.md"


class OutputError(GateError):
    """A file or the standard output cannot be written."""

    exit_code = 23
    fix = "Free space, or choose another `--output`."
    page = "docs/other-ci.md"


class ConversionError(GateError):
    """No route converts the source. Raised by `coreml_gate.convert` only; a run reports a finding instead."""

    exit_code = 24
    fix = "As for `conversion`: `coreml-gate explain conversion`."
    page = "docs/own-conversion.md"
