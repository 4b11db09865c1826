"""Baselines and Records as artifacts of the hub."""

from collections.abc import Mapping
from typing import Any

from coreml_gate.github.api.artifacts import baseline_name, record_name
from coreml_gate.record import ModelRecord, Record
from tests.builders import model_record, package, record
from tests.github_api.hub import Hub, zipped

BASE, PARENT, GRANDPARENT, HEAD = "b" * 40, "c" * 40, "d" * 40, "a" * 40
PACKAGE = "models/digits/package.mlpackage"


def digits(**overrides: Any) -> ModelRecord:
    """Model ``digits`` whose package lies where a baseline keeps it."""
    return model_record(**({"package": package(path=PACKAGE)} | overrides))


def json_of(stored: Record) -> bytes:
    return stored.model_dump_json().encode()


def baseline_files(commit: str = BASE, **overrides: Any) -> dict[str, bytes]:
    return {
        "record.json": json_of(record(digits(), **({"commit": commit} | overrides))),
        f"{PACKAGE}/Manifest.json": b"{}",
        f"{PACKAGE}/Data/com.apple.CoreML/weights/weight.bin": b"\1\2\3",
    }


def add_baseline(
    hub: Hub,
    commit: str = BASE,
    *,
    files: Mapping[str, bytes] | None = None,
    run: Mapping[str, Any] | None = None,
    **artifact: Any,
) -> int:
    """A baseline of the commit, as a push to the base branch leaves it; parts of it can be made wrong."""
    run_id = hub.add_run(commit, **(run or {}))
    data = zipped(baseline_files(commit) if files is None else files)
    hub.add_artifact(run_id, baseline_name("default", commit), data, **artifact)
    return run_id


def add_record(hub: Hub, stored: Record | bytes, shard: int = 1, run: int | None = None) -> int:
    """One job's Record of a pull request; gives the run."""
    run = hub.add_run(HEAD, "pull_request") if run is None else run
    data = stored if isinstance(stored, bytes) else zipped({"record.json": json_of(stored)})
    hub.add_artifact(run, record_name("default", shard), data)
    return run
