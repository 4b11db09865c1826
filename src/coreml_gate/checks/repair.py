"""The operations to keep in float32, as a hint and as code."""

from typing import Final

from coreml_gate.record import HalfMode, ModelRecord, Repair
from coreml_gate.wording import counted

_NO_REPAIR: Final = {
    "spread": "the error is spread over the whole model, so no small set of operations in FP32 helps. "
    'Set precision = "float32", or lower `psnr` and `warn-psnr`.',
    "out-of-budget": "the search for operations to keep in FP32 ended at its time limit.",
    "not-half": "operations in FP32 do not help: FP16 is not the cause.",
    "unconfirmed": "no set of operations passed when converted again.",
    "found": "",
}


def repair_of(head: ModelRecord, mode: HalfMode) -> Repair | None:
    """The repair found for a failure in this mode, or ``None``."""
    repair = None if head.diagnosis is None else head.diagnosis.repair
    return repair if repair is not None and repair.mode == mode else None


def repair_hint(repair: Repair) -> str:
    """The line to write with its gain and cost, or why there is none."""
    if not repair.patterns:
        return _NO_REPAIR[repair.outcome]
    patterns = ", ".join(f'"{pattern}"' for pattern in repair.patterns)
    if repair.outcome != "found":
        return f"keep-fp32 = [{patterns}] passes in the search, but no conversion has verified it."
    gain = "exact" if repair.psnr is None else f"{repair.psnr:.1f} dB"
    where = " in the Neural Engine estimate" if repair.mode == "neural-engine" else ""
    return (
        f"set `keep-fp32 = [{patterns}]` for this model. Verified by converting again: worst sample "
        f"{gain}{where}. {repair.kept} of {repair.half_operations} operations run in FP32 "
        f"({repair.casts_added:+d} casts, {repair.bytes_added:+,d} bytes)."
    )


def repair_lines(repair: Repair | None) -> tuple[str, ...]:
    """The same in Python, for a conversion without coreml-gate."""
    if repair is None or not repair.variables:
        return ()
    names = ", ".join(f'"{name}"' for name in repair.variables)
    effort = f"{counted(repair.runs, 'run')} and {counted(repair.conversions, 'conversion')}"
    return (
        "the smallest set, in Python:",
        f"    keep = {{{names}}}",
        "    compute_precision = ct.transform.FP16ComputePrecision(",
        "        op_selector=lambda op: op.outputs[0].name not in keep)",
        f"found in {effort}, {repair.seconds:.1f} s",
    )
