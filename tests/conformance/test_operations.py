"""Is the status page fresh, and are its rows the registry's?"""

from typing import Any

import pytest

from conformance import operations, unit_tests
from coreml_gate.runtime.ops import REGISTRY


class Old: ...


class New: ...


def test_the_page_is_fresh() -> None:
    assert operations.PAGE.read_text() == operations.current(), "run `python conformance/operations.py`"


@pytest.mark.parametrize(
    ("classes", "since"),
    [
        (dict.fromkeys(range(4, 10), Old), (15,)),
        ({4: Old, 5: Old, 6: Old, 7: Old, 8: New, 9: New}, (15, 17)),
        ({9: New}, (18,)),
        ({4: Old, 6: New}, (15,)),
    ],
)
def test_versions(classes: dict[Any, type], since: tuple[int, ...]) -> None:
    assert operations.versions(classes) == since


def test_counts_go_to_the_version_in_force() -> None:
    counts = {"conv": {"15": {"passed": 1}, "16": {"passed": 2}, "17": {"failed": 4}, "18": {"passed": 8}}}
    table = list(operations.rows({"conv": {6: Old, 8: New}}, counts, {"conv@13": ["test_conv::test_a"]}))
    found = [(row.since, dict(row.counts)) for row in table if row.operation == "conv"]
    assert found == [(15, {"passed": 3}), (17, {"failed": 4, "passed": 8})]
    assert {row.operation for row in table if row.unit_tests} == {"conv"}


def test_counts_of_groups_are_added_up() -> None:
    group = {"operations": {"add": {"15": {"passed": 2}}}}
    assert operations.kept_counts({"groups": {"a": group, "b": group}}) == {"add": {"15": {"passed": 4}}}


def test_an_operation_that_the_runtime_lacks_is_listed_as_such() -> None:
    (row,) = (row for row in operations.rows({"fold": {6: Old}}, {}, {}) if row.operation == "fold")
    assert row.implementation is None


def test_every_version_of_every_operation_has_a_unit_test_of_its_own() -> None:
    tests = unit_tests.kept()
    known = {f"{name}@{since}" for name, versions in REGISTRY.items() for since in versions}
    assert set(tests) == known, "run `python conformance/unit_tests.py`"
    assert all(tests.values())


def test_the_list_of_unit_tests_is_what_a_run_of_them_gives() -> None:
    assert unit_tests.kept() == unit_tests.collect(), "run `python conformance/unit_tests.py`"
