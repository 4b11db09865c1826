"""Does a damaged package ever end otherwise than in one of our errors, or take what it claims?

Each case damages one package of one form in one or two places, looks at it as every command does that runs
nothing, loads it and predicts with what loads.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.children.process import ProcessLimits, run_child
from tests.children.test_process import Files
from tests.fuzz.child import OUTCOMES, SECONDS
from tests.fuzz.forms import FORMS
from tests.fuzz.inspecting import LOOKS, inspect
from tests.fuzz.mutations import MUTATIONS
from tests.reliability import tried
from tests.warm import ENVIRONMENT, WARM, command_of

CASES = 1_890
"""Per form; with eleven forms more than twenty thousand in all."""
FEW = len(MUTATIONS)
_ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from contextlib import redirect_stdout

sys.path.insert(0, {root!r})
from tests.fuzz.child import main

with open({lines!r}, "w") as lines, redirect_stdout(lines):
    main(*sys.argv[1:])
open("end", "w").close()
"""

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:.* of the source model, has been renamed:UserWarning",
        "ignore::torch.jit.TracerWarning",
    ),
    pytest.mark.attack("packages"),
]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with the package of a form, made once."""
    made: dict[str, Path] = {}

    def package(form: str) -> Path:
        if form not in made:
            made[form] = tmp_path_factory.mktemp(form)
            FORMS[form](made[form] / f"{form}.mlpackage")
        return made[form]

    return package


def fuzz(folder: Path, form: str, count: int) -> list[dict[str, Any]]:
    """What became of the cases; a process that died leaves its last case out."""
    script, written = folder / "fuzz.py", folder / "lines.jsonl"
    (folder / "end").unlink(missing_ok=True)  # of a test before, in the same folder
    script.write_text(SCRIPT.format(root=str(_ROOT), lines=str(written)))
    ending = run_child(
        [sys.executable, *command_of(script), str(folder), form, "0", str(count)],
        folder=folder,
        log=folder / "log.txt",
        environment=ENVIRONMENT,
        limits=ProcessLimits(5 * SECONDS * count),
        report=Files(folder),
        start=WARM,
    )
    lines = [json.loads(line) for line in written.read_text().splitlines()]
    assert len(lines) == count, f"case {len(lines)} ended the process: {ending}"
    return lines


def check(lines: list[dict[str, Any]]) -> None:
    tried(len(lines))
    errors = [line for line in lines if line["outcome"] not in OUTCOMES]
    assert not errors, "\n".join(f"{line['form']} {line['number']}: {line['error']}" for line in errors)


@pytest.mark.parametrize("form", FORMS)
def test_one_of_each_damage_ends_in_our_errors(form: str, make: Any) -> None:
    check(fuzz(make(form), form, FEW))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_two_thousand_damages_end_in_our_errors(form: str, make: Any) -> None:
    lines = fuzz(make(form), form, CASES)
    check(lines)
    outcomes = Counter(line["outcome"] for line in lines)
    assert set(outcomes) == set(OUTCOMES), "some are refused at load, some at predict, some do no harm"
    refused = {name for line in lines if line["outcome"] != "ran" for name in line["mutations"]}
    assert refused >= set(MUTATIONS), "every kind of damage is found somewhere"


def test_the_suite_is_as_large_as_it_says() -> None:
    assert len(FORMS) * CASES >= 20_000
    assert max(CASES // len(MUTATIONS), 1) >= 40, "each kind of damage often enough in each form"


@pytest.mark.parametrize("form", ["dense", "functions", "compressed"])
def test_every_look_sees_a_sound_package(form: str, make: Any) -> None:
    """Otherwise the fuzz would only see that a look refuses everything."""
    refused: list[str] = []
    package = make(form) / f"{form}.mlpackage"

    found = inspect(package, lambda name, error: refused.append(f"{name}: {error}"))

    assert refused == []
    assert set(found) == set(LOOKS)
