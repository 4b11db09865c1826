"""Run coremltools' own tests against our MIL runtime: ``python conformance/run.py --help``.

Exit code 0: every test passed or is excluded with a reason; 1: some failed; 2: the run itself failed.
"""

import argparse
import datetime as dt
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from conformance import exclusions, groups, ledger, summary  # noqa: E402  # reachable only now when run as a file

RESULTS = Path(__file__).with_name("results.json")
_RAN = {0, 1}  # pytest: all passed, some failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and keep the counts if asked to."""
    options = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        path = Path(folder) / "ledger" if options.ledger is None else options.ledger.resolve()
        if path.is_relative_to(ROOT):
            print(f"{path}: a ledger belongs outside of the repository", file=sys.stderr)  # noqa: T201
            return 2
        code = 0 if options.judge else _run(options, path)
        entries = exclusions.judge(ledger.read(ledger.parts(path)), exclusions.read_exclusions())
        announced = ledger.announced(path)
    if code not in _RAN or not entries:
        print(f"pytest ended with code {code} after {len(entries)} tests", file=sys.stderr)  # noqa: T201
        return 2
    print(_report(entries))  # noqa: T201
    if options.update_results:
        _update_results(entries, announced)
    missing = sum(wanted for wanted, _ in announced.values()) - len(entries)
    if missing > 0:
        print(f"{missing} more tests belong to this run: continue with --resume", file=sys.stderr)  # noqa: T201
        return 2
    return int(any(entry.outcome == "failed" for entry in entries))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--group",
        action="append",
        default=[],
        help="iOS17, iOS17/conv, torch.jit, torch.export; again for more",
    )
    parser.add_argument(
        "--sample",
        type=lambda text: 0 if text == "all" else int(text),
        default=0,
        metavar="K",
        help="at most K parametrisations per test function, always the same; all (the default) runs each",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes (pytest-xdist)")
    parser.add_argument(
        "--ledger", type=Path, help="keep one JSON line per test here (a prefix, outside of the repository)"
    )
    parser.add_argument("--resume", action="store_true", help="run only what --ledger does not hold yet")
    parser.add_argument("--judge", action="store_true", help="run nothing: print what --ledger holds")
    parser.add_argument("--update-results", action="store_true", help=f"take the counts into {RESULTS.name}")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    ledger.begin(path, resume=options.resume)
    return subprocess.run(
        _command(options, path), env=_environment(), cwd=path.parent, check=False
    ).returncode


def _command(options: argparse.Namespace, path: Path) -> list[str]:
    workers = ["-n", str(options.workers)] if options.workers > 1 else ["-p", "no:xdist"]
    return [
        *(sys.executable, "-m", "pytest", "-p", "conformance.plugin", *workers),
        *("-c", os.devnull, "--rootdir", str(path.parent), "-p", "no:cacheprovider"),
        *("-q", "-W", "ignore", "--tb=no", "-r", "", "--no-header"),
        *("--ledger", str(path), "--sample", str(options.sample), "--groups", ",".join(options.group)),
        *("--pyargs", *groups.modules(options.group)),
    ]


def _environment() -> dict[str, str]:
    """Both precisions, ML Programs only, both front ends that need nothing but torch."""
    return os.environ | {
        "INCLUDE_MIL_FP32_UNIT_TESTS": "1",
        "OMP_NUM_THREADS": "1",
        "PYMIL_TEST_TARGETS": "mlprogram",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "TORCH_FRONTENDS": "TORCHSCRIPT,TORCHEXPORT",
    }


def _report(entries: list[ledger.Entry]) -> str:
    passed, counted = summary.rate(entries)
    lines = [summary.group_table(entries), "", f"Of the tests that predict, {passed} of {counted} pass."]
    lines += [f"- excluded {count}: {reason}" for reason, count in summary.reasons(entries)]
    for entry in entries:
        if entry.outcome == "failed":
            lines.append(
                f"- FAILED {entry.test}[{entry.parameters}]\n    {entry.message.strip().splitlines()[0]}"
            )
    return "\n".join(lines)


def _update_results(entries: list[ledger.Entry], announced: Mapping[str, tuple[int, int]]) -> None:
    """Replace the counts of the groups that ran, keep the others."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"groups": {}}
    stamp = {
        "coremltools": importlib.metadata.version("coremltools"),
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
    }
    for group in sorted({entry.group for entry in entries}):
        mine = [entry for entry in entries if entry.group == group]
        passed, counted = summary.rate(mine)
        known["groups"][group] = {
            **stamp,
            "tests": len(mine),
            "suite": announced[group][1],
            "seconds": round(sum(entry.seconds for entry in mine)),
            "passed": passed,
            "failed": counted - passed,
            "excluded": sum(entry.outcome == "excluded" and entry.predictions > 0 for entry in mine),
            "operations": summary.operation_counts(mine),
        }
    RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
