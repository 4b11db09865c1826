"""The groups of tests: what ``--group`` accepts, and the group that a test file belongs to."""

from collections.abc import Iterable
from pathlib import PurePath

_OPERATIONS = "coremltools.converters.mil.mil.ops.tests"
_TORCH = "coremltools.converters.mil.frontend.torch.test"
_TORCH_FILES = ("test_torch_ops", "test_torch_stateful_model")

OPSETS = ("iOS14", "iOS15", "iOS16", "iOS17", "iOS18")
FRONTENDS = {"TORCHSCRIPT": "torch.jit", "TORCHEXPORT": "torch.export"}


def modules(groups: Iterable[str]) -> tuple[str, ...]:
    """What to give ``pytest --pyargs`` so that it collects these groups (``iOS17``, ``iOS17/conv``).

    :raises ValueError: A group is unknown.
    """
    found: dict[str, None] = {}
    for group in groups or OPSETS:
        found.update(dict.fromkeys(_modules(group)))
    return tuple(found)


def _modules(group: str) -> tuple[str, ...]:
    head, _, file = group.partition("/")
    if head in OPSETS:
        return (f"{_OPERATIONS}.{head}" + (f".test_{file}" if file else ""),)
    if head in FRONTENDS.values():
        names = (f"test_{file}",) if file else _TORCH_FILES
        return tuple(f"{_TORCH}.{name}" for name in names)
    known = ", ".join((*OPSETS, *FRONTENDS.values()))
    raise ValueError(f"group `{group}` is unknown; known are {known}, each alone or with a file: iOS17/conv")


def group_of(path: PurePath, frontend: str | None) -> str:
    """``iOS17/conv`` for a file of operation tests, ``torch.export/torch_ops`` for one of the front end."""
    stem = path.stem.removeprefix("test_")
    return f"{path.parent.name}/{stem}" if frontend is None else f"{FRONTENDS.get(frontend, frontend)}/{stem}"


def wanted(group: str, groups: Iterable[str]) -> bool:
    """Is this test's group among those asked for? All are where none is named."""
    names = tuple(groups)
    return not names or any(group == name or group.startswith(f"{name}/") for name in names)
