"""How much memory a model's child will hold: what it held, else by its files, and never next to nothing."""

import json
from pathlib import Path

from coreml_gate.gate.memory_needed import held_in, memory_needed


def test_what_a_model_held_before_counts_more_than_its_files(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt2"
    with weights.open("wb") as file:
        file.truncate(10**9)
    assert memory_needed([weights], 3_000_000_000) == 1.1 * 3_000_000_000
    assert memory_needed([weights], None) == 0.6e9 + 3.5e9


def test_a_small_or_missing_file_says_little(tmp_path: Path) -> None:
    assert memory_needed([tmp_path / "missing"], None) == 1.5e9


def test_the_greatest_of_all_records_counts(tmp_path: Path) -> None:
    for name, models in {
        "a.json": [{"name": "net", "peak_bytes": 5}, {"name": "other"}],
        "b.json": [{"name": "net", "peak_bytes": 7}, {"name": "third", "peak_bytes": None}],
        "c.json": [{"name": "net", "peak_bytes": 6}],
    }.items():
        (tmp_path / name).write_text(json.dumps({"models": models, "skipped": []}))
    (tmp_path / "broken.json").write_text("{")
    names = ("a.json", "b.json", "c.json", "broken.json", "missing.json")
    assert held_in(tmp_path / name for name in names) == {"net": 7}
