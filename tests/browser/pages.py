"""Pages as people meet them: one per status, one with many models, one written by somebody hostile."""

from collections.abc import Callable, Mapping
from typing import Final

from coreml_gate.record import (
    ModelRecord,
    OperationProfile,
    Phase,
)
from coreml_gate.report import ReportOptions, html
from coreml_gate.verdict import ModelVerdict, Status
from tests.builders import finding, memory, model_record, model_verdict, record, timed, verdict
from tests.report.verdicts import precision, size

OPERATIONS: Final = 40
FIRST_WRONG: Final = 11
HOSTILE: Final = "<img src=x onerror=\"document.title='hacked'\">'\"`&amp; \u202egnp.exe </script><b>bold</b>"


def line(at: int, name: str = "") -> str:
    read = f"v_{at - 1}" if at else "x"
    return f"{name or f'op_{at}'}_cast_fp16\tmul\tlayers.{at // 10}\tv_{at}=fp16[1, 64]\t{read}\t\t"


def measured(name: str, *, wrong: bool = False, **overrides: object) -> ModelRecord:
    """A model of 40 operations; a wrong one overflows at the twelfth."""
    errors = tuple(0.7 if wrong and at >= FIRST_WRONG else 1e-4 * (1 + at) for at in range(OPERATIONS))
    ratios = tuple(0.01 * (at % 7) for at in range(30))
    parts = {
        "outline": ("x", f"v_{OPERATIONS - 1}", *map(line, range(OPERATIONS))),
        "profile": OperationProfile(
            operations=tuple(f"op_{at}" for at in range(OPERATIONS)),
            places=tuple(f"models/net.py:{10 + at}" for at in range(OPERATIONS)),
            reaches=tuple(9e4 if wrong and at == FIRST_WRONG else 2.0 + at for at in range(OPERATIONS)),
            errors={"fp16": errors, "neural-engine": tuple(1.5 * each for each in errors)},
        ),
        "memory": memory(timeline=tuple(10**6 * (1 + at % 6) for at in range(48))),
        "core_ml": timed(ratios, ratios),
        "phases": (Phase(step="convert", seconds=3.2), Phase(step="measure", seconds=0.8)),
    }
    return model_record(name=name, **parts | overrides)


def page(*models: ModelVerdict, records: tuple[ModelRecord, ...] = ()) -> str:
    """The page on these models, each drawn beside the same model as it was."""
    heads = records or tuple(measured(each.name, wrong=each.verdict is Status.FAIL) for each in models)
    options = ReportOptions(record=record(*heads), base=record(*(measured(each.name) for each in models)))
    return html.render(verdict(*models), options)


def judged(name: str, status: Status, megabytes: float = 4.21) -> ModelVerdict:
    """A model of one status, with a figure to sort by, and lines to copy where it fails."""
    patch = ("[[model]]", 'keep-fp32 = ["Net/mul"]') if status is Status.FAIL else ()
    numbers = precision(2.6 if status is Status.FAIL else 55.3, status=status, patch=patch)
    return model_verdict(size(megabytes), numbers, name=name)


def of_status(status: Status) -> str:
    """One model of that status."""
    return page(judged("digits", status))


def many() -> str:
    """Four models in no order of size; one of them has no size."""
    sizes = {"small": 9.5, "large": 120.0, "middle": 30.25}
    statuses = {"small": Status.PASS, "large": Status.FAIL, "middle": Status.WARN}
    unmeasured = model_verdict(finding(status=Status.UNSURE), name="unmeasured")
    return page(*(judged(name, statuses[name], value) for name, value in sizes.items()), unmeasured)


def more_than_are_shown_in_full() -> str:
    """120 models that pass, each larger than the one before it; the last ones are a row alone."""
    names = [f"model-{number}" for number in range(120)]
    models = (judged(name, Status.PASS, 1.0 + number) for number, name in enumerate(names))
    return html.render(verdict(*models), ReportOptions())


def hostile() -> str:
    """Whatever a pull request can name, named by an attacker."""
    long = "x" * 10_000
    evil = measured(HOSTILE, outline=("x", "y", line(0, HOSTILE.replace("\t", " ")), line(1, long)))
    models = (
        judged(HOSTILE, Status.FAIL),
        model_verdict(finding(message=f"`{long}` {HOSTILE}"), name=long),
    )
    return page(*models, records=(evil, measured(long)))


STATES: Final[Mapping[str, Callable[[], str]]] = {
    "pass": lambda: of_status(Status.PASS),
    "warn": lambda: of_status(Status.WARN),
    "fail": lambda: of_status(Status.FAIL),
    "unsure": lambda: of_status(Status.UNSURE),
}
