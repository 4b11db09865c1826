"""Finds the few operations that must stay in float32, writes them as ``keep-fp32``, and confirms the repair.

The search runs in our runtime on programs that we narrow ourselves, judged by the worst of all samples. The
result is written in the form that survives edits (``Module/type``) if that passes too and keeps only few
operations more, and a real conversion confirms it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from coreml_gate.comparing.compare import compare
from coreml_gate.config.limits import PrecisionLimits
from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.conversion.keep import is_kept
from coreml_gate.conversion.origins import Origin
from coreml_gate.criteria import keeps_precision, least_psnr
from coreml_gate.diagnose.delta_debugging import DeltaDebugging, OutOfBudgetError, SearchTime
from coreml_gate.engines.engine import as_array
from coreml_gate.frozen import changed
from coreml_gate.mil.graph import histogram
from coreml_gate.mil.package import Package, read_package
from coreml_gate.mil.to_half import HalfConstants, narrowed
from coreml_gate.record import Comparison, HalfMode, Repair
from coreml_gate.runtime.model import Model, load
from coreml_gate.untyped import MilValue

SPREAD_SHARE: Final = 0.15
"""If a set has more than this share of operations without a fault of their own, the noise is spread."""
MAX_RUNS: Final = 300
MAX_SECONDS: Final = 60.0
_FEW: Final = 4
"""A set of at most this many operations never counts as spread, however small the model is."""
_MANY_TIMES: Final = 6
"""A pattern may keep up to this many times the operations of the minimal set."""

ConvertAgain = Callable[[tuple[str, ...]], Path]
"""Converts the package that ships with a given ``keep-fp32``."""


@dataclass(frozen=True)
class HalfPrecisionCase:
    """A package in half precision, and how to judge it."""

    twin: Package
    shipped: Package
    origins: Mapping[str, Origin]
    inputs: Sequence[Mapping[str, MilValue]]
    limits: PrecisionLimits
    mode: HalfMode = "fp16"
    kept: tuple[str, ...] = ()
    """The configured ``keep-fp32``, which a repair extends."""
    floors: tuple[float, ...] = ()
    """The noise floor of each output in order, if known."""

    @property
    def half(self) -> frozenset[str]:
        """The operations in half precision, by name in the twin."""
        return frozenset(name for name, origin in self.origins.items() if origin.half)


class Trial:
    """Compares the twin with only a set of operations in float32 with the twin itself."""

    def __init__(self, case: HalfPrecisionCase, check: Callable[[], None] = lambda: None) -> None:
        """``check`` is called after each sample of :meth:`passes`, and raises if there is no time left."""
        self.case, self.check = case, check
        self._constants = HalfConstants()
        twin = load(case.twin, mode="fp32")
        self._wide = [_run(twin, inputs) for inputs in case.inputs]
        self._order = list(range(len(case.inputs)))

    def compared(self, kept: frozenset[str]) -> Iterator[Comparison]:
        """One comparison per output and sample; samples that failed recently come first."""
        twin = self.case.twin
        program = narrowed(twin.function(), self.case.half - kept, self._constants)
        yield from self._against(Model(twin, program, twin.interfaces[twin.default_function], self.case.mode))

    def compared_package(self, package: Package) -> Iterator[Comparison]:
        """The same for a package."""
        yield from self._against(load(package, mode=self.case.mode))

    def passes(self, kept: frozenset[str]) -> bool:
        """Whether the check passes on all samples with these operations in float32."""
        for comparison in self.compared(kept):
            if not keeps_precision([comparison], self.case.limits):
                self._order.remove(comparison.sample)
                self._order.insert(0, comparison.sample)
                return False
            self.check()
        return True

    def _against(self, model: Model) -> Iterator[Comparison]:
        for sample in tuple(self._order):
            outputs = _run(model, self.case.inputs[sample])
            wide = self._wide[sample].values()
            floors = self.case.floors or (0.0,) * len(outputs)
            for (name, output), reference, floor in zip(outputs.items(), wide, floors, strict=True):
                yield compare(name, sample, reference, output, ("fp32", self.case.mode), floor)


def _run(model: Model, inputs: Mapping[str, MilValue]) -> dict[str, MilValue]:
    outputs = model.predict(inputs, model.make_state())
    return {name: as_array(value) for name, value in outputs.items()}


def find_repair(
    case: HalfPrecisionCase,
    ranked: Sequence[str],
    convert_again: ConvertAgain | None,
    damaged: frozenset[str] = frozenset(),
    limit: SearchTime | None = None,
) -> Repair:
    """The smallest repair; ``ranked`` are the operations in half, most suspicious first.

    :param convert_again: ``None`` if nothing can be converted: the repair is not confirmed.
    :param damaged: Operations that half precision breaks by themselves: a set of them is not spread noise,
        however many they are.
    """
    limit = SearchTime(MAX_SECONDS) if limit is None else limit
    trial = Trial(case, limit.check)
    search = DeltaDebugging(trial.passes, MAX_RUNS, limit)
    start = Repair(
        outcome="not-half",
        mode=case.mode,
        psnr_before=least_psnr(trial.compared(frozenset())),
        half_operations=len(case.half),
    )
    try:
        found = search.smallest(ranked)
        if found is None:
            repair = start
        elif _is_small(case, frozenset(found) - damaged):
            repair = _written(trial, found, changed(start, outcome="found"), convert_again)
        else:
            repair = changed(start, outcome="spread", kept=len(found))
    except OutOfBudgetError:
        repair = _so_far(case, search.best, damaged, start)
    return changed(repair, runs=search.runs, seconds=limit.used)


def _is_small(case: HalfPrecisionCase, names: Collection[str]) -> bool:
    return len(names) <= max(SPREAD_SHARE * len(case.half), _FEW)


def _so_far(
    case: HalfPrecisionCase, best: tuple[str, ...] | None, damaged: frozenset[str], start: Repair
) -> Repair:
    """The result of a search that ran out of time: the smallest passing set so far, if it is small."""
    ended = changed(start, outcome="out-of-budget")
    if best is None or not _is_small(case, frozenset(best) - damaged):
        return ended
    names = tuple(sorted(best))
    patterns = tuple(dict.fromkeys((*case.kept, *names)))
    return changed(_naming(case, names, ended), patterns=patterns, kept=len(_selected(case, patterns)))


def _naming(case: HalfPrecisionCase, names: tuple[str, ...], repair: Repair) -> Repair:
    variables = tuple(case.origins[name].variable for name in names)
    return changed(repair, operations=names, variables=variables)


def _written(
    trial: Trial, found: tuple[str, ...], start: Repair, convert_again: ConvertAgain | None
) -> Repair:
    """The repair in the form that survives edits, if that passes too, and confirmed by a conversion."""
    case = trial.case
    names = tuple(sorted(found))
    repair = _naming(case, names, start)
    forms = [form for form in (_by_module(trial, names), names) if form]
    for number, form in enumerate(dict.fromkeys(forms), 1):
        patterns = tuple(dict.fromkeys((*case.kept, *form)))
        kept = _selected(case, patterns)
        repair = changed(
            repair, patterns=patterns, kept=len(kept), psnr_expected=least_psnr(trial.compared(kept))
        )
        if convert_again is None:
            return changed(repair, outcome="unconfirmed")
        trial.check()
        confirmed = _confirmed(trial, repair, convert_again)
        repair = changed(confirmed, conversions=number)
        if repair.outcome == "found":
            return repair
    return repair


def _by_module(trial: Trial, names: tuple[str, ...]) -> tuple[str, ...]:
    """``Module/type`` for each operation, if that passes and keeps few more; else empty."""
    case = trial.case
    types = _types(case)
    origins = [(case.origins[name].module, types.get(name, "")) for name in names]
    if not all(module and kind for module, kind in origins):
        return ()
    patterns = tuple(sorted({f"{module}/{kind}" for module, kind in origins}))
    kept = _selected(case, patterns)
    few = len(kept) <= max(_MANY_TIMES * len(names), SPREAD_SHARE * len(case.half))
    return patterns if few and trial.passes(kept) else ()


def _selected(case: HalfPrecisionCase, patterns: tuple[str, ...]) -> frozenset[str]:
    types = _types(case)
    return frozenset(
        name for name in case.half if is_kept(patterns, name, types.get(name, ""), case.origins[name])
    )


def _types(case: HalfPrecisionCase) -> dict[str, str]:
    return {operation.name: operation.type for operation in case.twin.function().block.walk()}


def _confirmed(trial: Trial, repair: Repair, convert_again: ConvertAgain) -> Repair:
    """The repair with the PSNR of the repaired package in our runtime and its cost over the current one."""
    try:
        package = read_package(convert_again(repair.patterns))
    except ConversionFailedError:
        return changed(repair, outcome="unconfirmed")
    comparisons = tuple(trial.compared_package(package))
    before, after = (histogram(each.function())["cast"] for each in (trial.case.shipped, package))
    return changed(
        repair,
        outcome="found" if keeps_precision(comparisons, trial.case.limits) else "unconfirmed",
        psnr=least_psnr(comparisons),
        casts_added=after - before,
        bytes_added=package.total_bytes - trial.case.shipped.total_bytes,
    )


def on_neural_engine(case: HalfPrecisionCase) -> HalfPrecisionCase:
    """The same case in the Neural Engine estimate."""
    return replace(case, mode="neural-engine")
