"""The Verdicts behind the golden files: the situations in which people meet the gate."""

import math
from functools import partial
from typing import Any

from coreml_gate.checks.evidence import LOST
from coreml_gate.config import Config
from coreml_gate.frozen import changed
from coreml_gate.gate.judge import judge
from coreml_gate.verdict import (
    Acceptance,
    BaselineFacts,
    Candidate,
    Finding,
    ModelVerdict,
    Ranking,
    SkippedVerdict,
    Status,
    Verdict,
    not_run,
)
from tests.builders import finding, model_config, model_record, model_verdict, record, verdict
from tests.checks import core_ml

NO_BASE = BaselineFacts(origin="none: `build/base/record.json` does not exist yet")
HOSTILE = (
    "x | y\n| ❌ | `` `a` ``` <img src=x onerror=alert(1)> <!-- coreml-gate: default --> @octocat #1 GH-2 "
    "[a](http://evil.example) ![b](https://evil.example/b.png) www.evil.example "
    "\u202eesrever\x1b[31m </details>"
)


def size(value: float | None = 4.21, base: float | None = 4.12, **overrides: Any) -> Finding:
    return finding(
        **{
            "check": "size",
            "subject": "package",
            "value": value,
            "base": base,
            "limit": 20.0,
            "unit": "MB",
            "message": f"package: {value} MB, allowed 20 MB.",
        }
        | overrides
    )


def memory(value: float | None = 25.3, base: float | None = 25.3, **overrides: Any) -> Finding:
    return finding(
        **{
            "check": "memory",
            "subject": "package",
            "value": value,
            "base": base,
            "limit": 1200.0,
            "unit": "MB",
            "message": f"weights and activations: {value} MB at `conv_1`, allowed 1200 MB.",
            "details": ("conv_1_out  4.0 MB", "image       2.0 MB"),
        }
        | overrides
    )


def parity(value: float | None = 2e-7, base: float | None = 2e-7, **overrides: Any) -> Finding:
    return finding(
        **{
            "check": "parity",
            "subject": "logits",
            "value": value,
            "base": base,
            "limit": 1e-4,
            "unit": "of max",
            "message": "output `logits`: greatest difference 8e-7 at (0, 7) of sample 0, allowed 0.0004.",
        }
        | overrides
    )


def precision(value: float | None = 55.3, base: float | None = 55.1, **overrides: Any) -> Finding:
    return finding(
        **{
            "check": "precision",
            "value": value,
            "base": base,
            "limit": 30.0,
            "unit": "dB",
            "message": f"output `logits`: PSNR {value} dB, minimum 30 dB.",
        }
        | overrides
    )


def accuracy(value: float | None = 0.9812, base: float | None = 0.9815, **overrides: Any) -> Finding:
    return finding(
        **{
            "check": "evaluate",
            "subject": "accuracy",
            "value": value,
            "base": base,
            "limit": 0.9795,
            "unit": "",
            "message": f"`accuracy` is {value} (baseline {base}).",
        }
        | overrides
    )


def sound(name: str, *more: Finding, **overrides: Any) -> ModelVerdict:
    return model_verdict(size(), memory(), parity(), precision(), *more, name=name, **overrides)


def first_run() -> Verdict:
    unsure = {"status": Status.UNSURE, "base": None}
    return verdict(
        model_verdict(
            size(4.21, None),
            memory(25.3, None),
            parity(2e-7, None),
            precision(55.3, None),
            finding(
                check="interface",
                subject="package",
                limit=None,
                unit="",
                message="inputs and outputs cannot be compared: there is no baseline.",
                value=None,
                **unsure,
            ),
            notes=("the weights look untrained: `fc.weight` has the spread of its initialisation.",),
            untrained=True,
        ),
        baseline=NO_BASE,
    )


def no_change() -> Verdict:
    same = (size(4.12, 4.12), memory(), parity(), precision(55.1, 55.1), accuracy(0.9815, 0.9815))
    return verdict(
        model_verdict(*same),
        skipped=(
            SkippedVerdict(name="detector", reason="unchanged"),
            SkippedVerdict(name="embedder", reason="unchanged"),
            SkippedVerdict(name="ranker", reason="not named by `--model`"),
        ),
    )


def passed() -> Verdict:
    return verdict(sound("digits", accuracy()), sound("detector"), sound("embedder"))


def regression() -> Verdict:
    failing = model_verdict(
        size(
            4.9,
            4.12,
            status=Status.FAIL,
            message="package: 4.9 MB, 1.19 times the baseline's 4.12 MB, allowed 1.1 times.",
            hint="largest weights: `fc.weight` (3.2 MB, new). Raise `limits.size.max-ratio` if meant.",
        ),
        memory(26.1),
        parity(
            0.31,
            2e-7,
            status=Status.FAIL,
            message="output `logits`: greatest difference 0.31 at (0, 7) of sample 2, allowed 0.0001: the "
            "conversion is wrong. First operation to differ: `softmax_3` (models/net.py:41).",
            hint="the float32 package differs, so precision is not the reason: look at `floor_divide` "
            "(apple/coremltools#2762).",
            details=(
                "logits  sample 0  8.1e-7 at (0, 2)",
                "logits  sample 2  0.31   at (0, 7): source 4.02, package 3.71",
            ),
            file="models/net.py",
            line=41,
        ),
        precision(
            33.1,
            55.1,
            status=Status.WARN,
            message="output `logits`: PSNR 33.1 dB is above the minimum of 30 dB, but below the 40 dB that "
            "FP16 should reach.",
            hint='keep `softmax_3` in FP32: `precision = "float32"`.',
            patch=("[[model]]", 'name = "digits"', 'precision = "float32"'),
        ),
        accuracy(
            0.9611,
            status=Status.FAIL,
            message="`accuracy` fell from 0.9812 (source) to 0.9611 (package), allowed drop 0.0020.",
        ),
    )
    warned = model_verdict(
        size(),
        memory(),
        parity(),
        precision(
            38.0,
            38.4,
            status=Status.WARN,
            message="output `boxes`: PSNR 38.0 dB is above the minimum of 30 dB, but below the 40 dB that "
            "FP16 should reach.",
        ),
        name="detector",
    )
    return verdict(sound("embedder"), failing, warned)


def unsure() -> Verdict:
    unknown = "the MIL runtime does not support 1 operation of this package: `non_maximum_suppression`."
    hint = "numerical checks of this model are unsure on Linux; run them with Core ML on a Mac."
    cannot_tell: dict[str, Any] = {"status": Status.UNSURE, "value": None, "base": None, "message": unknown}
    return verdict(
        model_verdict(
            size(),
            memory(),
            parity(**cannot_tell, hint=hint),
            precision(**cannot_tell),
            name="detector",
        ),
        sound("digits"),
    )


def strict(judged: Verdict) -> Verdict:
    """The same findings where an unsure one blocks."""
    return changed(judged, models=tuple(changed(each, fail_on_unsure=True) for each in judged.models))


def conversion_failure() -> Verdict:
    failure = finding(
        check="conversion",
        status=Status.FAIL,
        subject="source",
        message="coremltools has no rule for 2 operations: `aten::upsample_bicubic2d` (3 times, in "
        "`neck.up`), `aten::fold` (once, in `head`).",
        value=None,
        limit=None,
        hint="use `mode='bilinear'` in `neck.up`; rewrite `head` without `torch.nn.Fold`.",
        details=("Traceback of the converter:", '  File "ops.py", line 12', "    raise NotImplementedError"),
    )
    later = finding(check="parity", status=Status.UNSURE, message=LOST, value=None)
    return verdict(model_verdict(failure, later, name="segmenter"), sound("digits"))


def source_error() -> Verdict:
    failure = finding(
        check="source",
        status=Status.FAIL,
        subject="models/digits.py:build",
        message="`models/digits.py:build` raised `ImportError: cannot import name 'Net' from 'net'` "
        "(models/digits.py:3).",
        value=None,
        limit=None,
        hint="run `python -c 'import models.digits'` in this environment.",
        file="models/digits.py",
        line=3,
    )
    return verdict(model_verdict(failure, problem_exit_code=5))


def many(models: int = 60) -> Verdict:
    return verdict(
        *regression().models,
        *(sound(f"variant-{number:02}", accuracy()) for number in range(models - 3)),
        skipped=tuple(SkippedVerdict(name=f"old-{number}", reason="unchanged") for number in range(40)),
    )


def hostile(text: str = HOSTILE) -> Verdict:
    bad = model_verdict(
        size(status=Status.FAIL, message=text, hint=text, subject=text),
        accuracy(0.1, subject=text, status=Status.WARN, message=f"metric `{text}`: 0.1"),
        parity(message=text, details=(text, "```", "  " + text), unit=text, file=text, line=3),
        finding(check=text, status=Status.UNSURE, message=text, hint=text),
        notes=(text,),
        name=text,
    )
    return verdict(
        bad,
        commit=text,
        engine=text,
        baseline=BaselineFacts(origin=text, commit=text, present=True),
        skipped=(SkippedVerdict(name=text, reason=text),),
    )


def nothing() -> Verdict:
    skipped = tuple(SkippedVerdict(name=name, reason="unchanged") for name in ("digits", "detector"))
    empty = verdict(skipped=skipped)
    return changed(empty, models=())


def accepted() -> Verdict:
    """A failure that somebody answers for, a limit that the change raises, a line that does not count."""
    taken = precision(
        25.1,
        55.1,
        status=Status.WARN,
        message="output `logits` is wrong in FP16: PSNR 25.1 dB in sample 2, minimum 30 dB. "
        "Accepted by `alice` until 2026-12-31: retrained in December.",
        accepted=Acceptance(by="alice", until="2026-12-31", reason="retrained in December"),
    )
    policy = finding(
        check="policy",
        status=Status.WARN,
        subject="configuration",
        value=None,
        limit=None,
        message="1 key of the gate's configuration changed: `limits.size.max-mb` of "
        "`digits`: 20.0 → 40.0. Judged with the limits of the base branch.",
        hint="approving this change also approves these limits.",
        details=("`limits.size.max-mb` of `digits`: 20.0 → 40.0",),
    )
    ignored = finding(
        check="override",
        status=Status.WARN,
        subject="digits",
        value=None,
        limit=None,
        message="the override of `mallory` is not valid: `mallory` has no write permission.",
        hint="write `/coreml-gate accept CHECK of MODEL until YYYY-MM-DD: reason`, and add the label "
        "`coreml-gate: accept`.",
        details=("/coreml-gate accept size of digits until 2026-12-31: because",),
    )
    model = model_verdict(size(), memory(), parity(), taken)
    return verdict(model, findings=(policy, ignored))


def configuration_error() -> Verdict:
    return not_run(
        "`coreml-gate.toml`: unknown key `limit` of model `digits` at line 7.",
        "did you mean `limits`? docs/configuration.md lists all keys.",
        3,
    )


def asked(*, stand_in: bool) -> Verdict:
    """Two models with what Core ML answered, by the real checks: one as before, one slower and wrong."""
    name = "coreml-gate stand-in" if stand_in else ""
    wrong = core_ml.answer(psnr=12.0, max_abs_error=1.5)
    slower = core_ml.timed(log_ratio=math.log(1.12), head_ms=4.48)
    facts = {
        "digits": core_ml.core_ml(
            core_ml.run(),
            core_ml.run("ALL", against_source=wrong),
            timing=core_ml.timing(metrics=(slower, core_ml.timed("load"))),
            placement=None if stand_in else core_ml.placement(off=2),
            base_placement=None if stand_in else core_ml.placement(),
            machine=core_ml.machine(stand_in=name),
        ),
        "detector": core_ml.core_ml(
            core_ml.run(),
            core_ml.ended("CPU_AND_GPU"),
            timing=core_ml.timing(),
            placement=None if stand_in else core_ml.placement(),
            base_placement=None if stand_in else core_ml.placement(),
            machine=core_ml.machine(stand_in=name, virtual=True),
        ),
    }
    head = record(*(model_record(name=key, core_ml=each) for key, each in facts.items()))
    config = Config(model=tuple(model_config(name=key) for key in facts))
    base = record(*(model_record(name=key) for key in facts))
    origin = BaselineFacts(origin="rebuilt in this run", commit="0f9e8d7", present=True)
    return judge(config, head, base, origin)


def candidate(name: str, **overrides: Any) -> Candidate:
    defaults: dict[str, Any] = {
        "eligible": "yes",
        "size_bytes": 4_210_000,
        "memory_bytes": 9_000_000,
        "macs": 53_000_000,
        "moved_bytes": 12_300_000,
        "metric": 0.981,
        "psnr": 63.6,
    }
    return Candidate(name=name, **(defaults | overrides))


def variants() -> Verdict:
    """A model with three variants, one of which fails a limit."""
    ranking = Ranking(
        candidates=(
            candidate("digits", ships=True, on_front=True),
            candidate("int8", size_bytes=2_150_000, psnr=40.2, bits=8.3, on_front=True),
            candidate(
                "palette-2",
                eligible="no",
                reason="evaluate: `accuracy` is 0.820 | too low.",
                size_bytes=710_000,
                metric=0.82,
                psnr=0.5,
                bits=2.04,
            ),
            candidate("lost", eligible="unsure", size_bytes=None, macs=None, moved_bytes=None, psnr=None),
        ),
        metric="accuracy",
        choice="Best choice: `int8` for size (2.15 MB); `digits` for accuracy (0.981).",
        notes=("the order of packages on a Mac is not their order on a phone.",),
    )
    return verdict(model_verdict(size(), finding(), ranking=ranking))


SITUATIONS = {
    "first-run": first_run,
    "no-change": no_change,
    "pass": passed,
    "regression": regression,
    "unsure": unsure,
    "conversion-failure": conversion_failure,
    "source-error": source_error,
    "accepted": accepted,
    "configuration-error": configuration_error,
    "sixty-models": many,
    "hostile": hostile,
    "nothing": nothing,
    "core-ml": partial(asked, stand_in=False),
    "stand-in": partial(asked, stand_in=True),
    "variants": variants,
}
