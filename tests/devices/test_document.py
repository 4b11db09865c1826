"""The generated page, and what `coreml-gate devices` prints."""

import json
from argparse import Namespace
from io import StringIO
from pathlib import Path

from coreml_gate.devices.command import page, print_devices
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings

PAGE = Path(__file__).parents[2] / "docs" / "devices.md"


def printed(*, as_json: bool) -> str:
    stream = StringIO()
    around = Surroundings(Path(), {}, Screen(stream, width=100), Screen(StringIO()))
    assert print_devices(Namespace(json=as_json), around) == 0
    return stream.getvalue()


def test_the_page_is_what_the_table_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run: python -m coreml_gate.devices.command > docs/devices.md"
    )


def test_estimates_are_marked_and_unknown_figures_empty() -> None:
    assert "| iPhone 15 Pro | A17 Pro | 8 | ~3000 | ~6000 | 35 |  | 17 to 26 |" in page()
    assert "maple-diffusion#5 (iPhone 14 Pro Max)" in page()


def test_the_command_prints_one_line_per_device() -> None:
    line = next(line for line in printed(as_json=False).splitlines() if line.startswith("iPhone 11 Pro Max"))
    assert line.split() == ["iPhone", "11", "Pro", "Max", "A13", "4", "2067", "~6", "~34.1", "13", "to", "26"]


def test_json_names_estimates_and_sources() -> None:
    phone = next(item for item in json.loads(printed(as_json=True)) if item["name"] == "iPhone 14 Pro Max")
    assert (phone["limit_mb"], phone["estimates"]) == (2867.0, ["bandwidth_gb_s", "entitled_mb"])
    assert phone["sources"]["limit"] == "madebyollin/maple-diffusion#5"
