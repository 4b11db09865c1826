"""The device table: what it says of devices that somebody measured, and that no figure lacks its source."""

import csv
from importlib import resources

import pytest

from coreml_gate.devices import devices, similar, that_run

FILES = resources.files("coreml_gate.devices")


def rows(file: str) -> list[dict[str, str]]:
    return list(csv.DictReader(FILES.joinpath(file).read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize(
    ("name", "app_mb", "estimated"),
    [
        ("iPhone XR", 1500, True),  # half of 3 GB is less than the 1792 MB at which apps end
        ("iPhone XS", 2000, True),
        ("iPhone 14 Pro Max", 2867, False),  # measured, and less than half of 6 GB
        ("iPhone 15 Pro", 3000, True),  # the measured figure is doubtful
        ("iPhone 12", 2000, True),  # nobody measured it
    ],
)
def test_an_app_plans_with_half_of_the_ram_or_the_measured_limit(
    name: str, app_mb: float, estimated: bool
) -> None:
    assert (devices()[name].app_mb, devices()[name].app_is_estimated) == (app_mb, estimated)


def test_the_minimum_system_chooses_the_devices() -> None:
    all_names, of_26 = ({device.name for device in that_run(version)} for version in ("18.4", "26"))
    assert all_names - of_26 == {"iPhone XS", "iPhone XS Max", "iPhone XR"}
    assert all_names == set(devices())
    assert that_run("27") == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [("iphone 12", "iPhone 12"), ("iPhone12", "iPhone 12"), ("iPhon 15 Pro", "iPhone 15 Pro")],
)
def test_what_somebody_may_have_meant(written: str, meant: str) -> None:
    assert similar(written)[0] == meant


def test_nothing_is_similar_to_another_maker() -> None:
    assert similar("Galaxy S24") == ()


@pytest.mark.parametrize(
    ("file", "figure", "source"),
    [
        ("devices.csv", "ram_gb", "ram_source"),
        ("devices.csv", "limit_mb", "limit_source"),
        ("devices.csv", "entitled_mb", "entitled_source"),
        ("chips.csv", "tops", "tops_source"),
        ("chips.csv", "bandwidth_gb_s", "bandwidth_source"),
    ],
)
def test_every_figure_has_a_source_and_no_source_stands_alone(file: str, figure: str, source: str) -> None:
    known = {row["key"] for row in rows("sources.csv")}
    for row in rows(file):
        assert bool(row[figure]) == bool(row[source]), row["name"]
        assert not row[source] or row[source] in known


@pytest.mark.parametrize("file", ["devices.csv", "chips.csv"])
def test_estimates_name_figures_of_their_row(file: str) -> None:
    for row in rows(file):
        assert all(row[figure] for figure in row["estimates"].split()), row["name"]


def test_an_identifier_belongs_to_one_device() -> None:
    identifiers = [each for device in devices().values() for each in device.identifiers]
    assert len(identifiers) == len(set(identifiers))


def test_a_newer_phone_has_no_less_memory_than_the_one_it_follows() -> None:
    line = ["iPhone 11", "iPhone 12", "iPhone 13", "iPhone 14", "iPhone 15", "iPhone 16", "iPhone 17"]
    sizes = [devices()[name].ram_gb for name in line]
    assert sizes == sorted(sizes)
