"""What a child measures of a sound model, and how far it comes with each kind of broken one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it

from coreml_gate.children.job import ModelJob, write_job
from coreml_gate.config import Compression
from coreml_gate.measurements.trial_programs import write_functions
from coreml_gate.record import Diagnosis, OperationProfile
from coreml_gate.runtime import registry
from coreml_gate.worker.child import main
from tests.reported import measured, psnrs, reported

JobOf = Callable[..., ModelJob]


def test_a_sound_model_is_measured_in_every_part(job_of: JobOf) -> None:
    record = measured(job_of(evaluate="models/net.py:evaluate"))

    assert record.problem is None
    assert record.source is not None
    assert record.source.parameters == 15
    assert record.source.samples == 3
    assert record.conversion is not None
    assert record.conversion.status == "converted"
    assert record.package is not None
    assert record.package.path == "models/net/package.mlpackage"
    assert [feature.name for feature in record.package.outputs] == ["scores"]
    assert record.memory is not None
    assert record.memory.weight_bytes == record.package.weight_bytes > 0
    assert [(item.output, item.sample) for item in record.parity] == [
        ("scores", 0),
        ("scores", 1),
        ("scores", 2),
    ]
    assert max(item.relative_error for item in record.parity) < 1e-5
    least, most = psnrs(record.precision)
    assert 40 < least <= most < 90
    assert [metric.side for metric in record.metrics] == ["source", "fp32", "fp16"]
    assert record.metrics[0].value == pytest.approx(record.metrics[1].value, rel=1e-5)
    assert record.metrics[0].value != record.metrics[2].value


def test_a_float32_package_is_its_own_twin(job_of: JobOf) -> None:
    record = measured(job_of(precision="float32"))

    assert [item.psnr for item in record.precision] == [None] * 3


def test_a_package_has_no_source_to_be_compared_with(job_of: JobOf, tree: Path) -> None:
    made = job_of(name="made")
    measured(made)
    shutil.copytree(made.folder / "package.mlpackage", tree / "net.mlpackage")

    record = measured(job_of(source="net.mlpackage", samples=None, output=()))

    assert record.problem is None
    assert record.conversion is not None
    assert record.conversion.status == "not-needed"
    assert record.parity == ()
    assert record.source is not None
    assert record.source.random_samples
    assert len(record.precision) == record.source.samples > 0


@pytest.mark.parametrize(("function", "taken"), [(None, "double"), ("triple", "triple")])
def test_one_of_several_functions_is_measured(
    job_of: JobOf, tree: Path, function: str | None, taken: str
) -> None:
    write_functions(tree)

    record = measured(job_of(source="functions.mlpackage", samples=None, output=(), function=function))

    assert record.problem is None
    assert record.package is not None
    assert record.package.function == taken
    assert len(record.precision) > 0


def test_a_function_that_is_not_there_is_named_with_those_that_are(job_of: JobOf, tree: Path) -> None:
    write_functions(tree)

    record = measured(job_of(source="functions.mlpackage", samples=None, output=(), function="half"))

    assert record.problem is not None
    assert "there is no function `half`" in record.problem.message
    assert "`double`, `triple`" in record.problem.hint


def test_an_evaluate_that_raises_loses_nothing_else(job_of: JobOf, tree: Path) -> None:
    (tree / "models" / "metric.py").write_text("def evaluate(predict):\n    return 1 / 0\n")

    record = measured(job_of(evaluate="models/metric.py:evaluate"))

    assert record.problem is not None
    assert record.problem.exit_code == 7
    assert "ZeroDivisionError: division by zero (models/metric.py:2)" in record.problem.message
    assert record.parity
    assert record.memory is not None


def test_a_metric_must_be_finite_numbers_by_name(job_of: JobOf, tree: Path) -> None:
    text = "import torch\n\ndef evaluate(predict):\n    predict(torch.ones(1, 4))\n    return 0.98\n"
    (tree / "models" / "metric.py").write_text(text)

    record = measured(job_of(evaluate="models/metric.py:evaluate"))

    assert record.problem is not None
    assert "returned a `float`, expected numbers by metric name" in record.problem.message


@pytest.mark.parametrize(
    ("file", "text", "exit_code", "complaint"),
    [
        ("net.py", "import no_such_module\n", 5, "no module `no_such_module` (imported by models/net.py:1)"),
        (
            "net.py",
            "def build():\n    raise ValueError('no weights')\n",
            5,
            "ValueError: no weights (models/net.py:2)",
        ),
        ("net.py", "def build(:\n", 5, "models/net.py:1"),
        ("data.py", "def samples():\n    return []\n", 6, "yielded no sample"),
        (
            "data.py",
            "import torch\ndef samples():\n    return [torch.zeros(1, 4), torch.zeros(4)]\n",
            6,
            "sample 1",
        ),
        ("data.py", "def samples():\n    return ['a cat']\n", 6, "str"),
    ],
)
def test_bad_input_ends_with_its_message_and_exit_code(
    job_of: JobOf, tree: Path, file: str, text: str, exit_code: int, complaint: str
) -> None:
    (tree / "models" / file).write_text(text)
    samples = "models/data.py:samples" if file == "data.py" else "models/net.py:samples"

    record = measured(job_of(samples=samples))

    assert record.problem is not None
    assert record.problem.exit_code == exit_code
    assert complaint in record.problem.message
    assert record.package is None


def test_samples_of_the_wrong_shape_are_the_sources_own_error(job_of: JobOf, tree: Path) -> None:
    (tree / "models" / "data.py").write_text("import torch\ndef samples():\n    return [torch.zeros(1, 5)]\n")

    record = measured(job_of(samples="models/data.py:samples"))

    assert record.problem is not None
    assert record.problem.exit_code == 5
    assert "sample 0 (x: float32 [1, 5])" in record.problem.message


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda package: (package / "Manifest.json").unlink(), "Manifest.json"),
        (lambda package: next(package.rglob("weight.bin")).unlink(), "weight.bin"),
        (lambda package: _truncate(next(package.rglob("model.mlmodel"))), "model.mlmodel"),
        (lambda package: _truncate(next(package.rglob("weight.bin"))), "weight"),
    ],
)
def test_a_damaged_package_is_named_with_what_is_wrong(
    job_of: JobOf, tree: Path, damage: Callable[[Path], None], complaint: str
) -> None:
    package = _save_matmul(tree / "net.mlpackage")
    damage(package)

    record = measured(job_of(source="net.mlpackage", samples=None, output=()))

    assert record.problem is not None
    assert record.problem.exit_code in {5, 8}
    assert complaint in record.problem.message


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _save_matmul(path: Path) -> Path:
    """A package with a weight large enough to be kept in weight.bin."""

    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 64))], opset_version=ct.target.iOS17)
    def program(x: object) -> object:
        return mb.matmul(x=x, y=np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32))

    model = ct.convert(program, minimum_deployment_target=ct.target.iOS17, skip_model_load=True)
    model.save(str(path))
    return path


def test_an_operation_unknown_to_the_runtime_is_a_value(
    job_of: JobOf, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(registry.REGISTRY, "relu")

    record = measured(job_of())

    assert record.problem is None
    assert record.unsupported == ("relu",)
    assert record.parity == ()
    assert record.memory is not None
    assert record.package is not None


OVERFLOWING = """
import torch


class Net(torch.nn.Module):
    def forward(self, x):
        return torch.tanh((x * 300).square().sum(-1) * 1e-6)


def samples():
    return [torch.full((1, 4), value) for value in (0.5, 1.0)]
"""


def test_what_half_precision_breaks_is_diagnosed_and_repaired(job_of: JobOf, tree: Path) -> None:
    (tree / "models" / "big.py").write_text(OVERFLOWING)

    record = measured(job_of(source="models/big.py:Net", samples="models/big.py:samples"))

    assert record.diagnosis is not None
    assert record.diagnosis.hazards[0].bites_in == "fp16"
    assert record.diagnosis.hazards[0].place == "models/big.py:7"
    repair = record.diagnosis.repair
    assert repair is not None
    assert repair.outcome == "found"
    patched = job_of(
        name="patched", source="models/big.py:Net", samples="models/big.py:samples", keep_fp32=repair.patterns
    )
    assert psnrs(measured(patched).precision)[0] >= 40


DRIFTING = """
import torch


class Net(torch.nn.Module):
    def forward(self, x):
        return x.sum(-1, keepdim=True) * 1e-3


def samples():
    torch.manual_seed(1)
    return [torch.rand(1, 160_000) * 0.1]
"""


def test_a_sum_that_drifts_in_half_accumulators_alone_is_repaired_as_well(job_of: JobOf, tree: Path) -> None:
    (tree / "models" / "long.py").write_text(DRIFTING)

    record = measured(job_of(source="models/long.py:Net", samples="models/long.py:samples"))

    assert psnrs(record.precision)[0] >= 40
    assert record.diagnosis is not None
    repair = record.diagnosis.repair
    assert repair is not None
    assert (repair.mode, repair.outcome, repair.patterns) == ("neural-engine", "found", ("Net/reduce_sum",))


def test_a_sound_model_pays_for_no_diagnosis(job_of: JobOf) -> None:
    job = job_of()
    events = reported(job, lambda: main(write_job(job)))
    assert events.parts.get(Diagnosis) == Diagnosis()
    assert (events.step, events.finished) == ("profile", True)
    profile = events.parts.get(OperationProfile)
    assert profile is not None
    assert len(profile.operations) == len(profile.errors["fp16"]) > 0


def test_a_package_is_diagnosed_as_its_own_twin_and_says_why_it_is_not_repaired(
    job_of: JobOf, tree: Path
) -> None:
    (tree / "models" / "big.py").write_text(OVERFLOWING)
    options = {"samples": "models/big.py:samples", "output": ()}
    source = measured(job_of(name="big", source="models/big.py:Net", **options))
    assert source.package is not None
    shutil.copytree(tree.parent / "out" / source.package.path, tree / "big.mlpackage")
    (tree / "models" / "big.py").write_text(
        OVERFLOWING.replace("[torch.full((1, 4), value)", '[{"x": torch.full((1, 4), value)}')
    )

    record = measured(job_of(source="big.mlpackage", **options))

    assert record.diagnosis is not None
    assert source.diagnosis is not None
    found, known = record.diagnosis.hazards[0], source.diagnosis.hazards[0]
    assert (found.kind, found.operation_type, found.reaches) == (
        known.kind,
        known.operation_type,
        known.reaches,
    )
    assert record.diagnosis.repair is None
    assert record.diagnosis.note.startswith("no repair: the package is taken as it is")


def test_with_compressed_weights_half_precision_is_told_from_the_compression(
    job_of: JobOf, tree: Path
) -> None:
    (tree / "models" / "big.py").write_text(OVERFLOWING)
    compress = Compression(method="palettize", bits=1, weight_threshold=0)
    big = measured(job_of(source="models/big.py:Net", samples="models/big.py:samples", compress=compress))
    assert big.diagnosis is not None
    assert big.diagnosis.hazards[0].bites_in == "fp16"
    assert big.diagnosis.repair is not None
    assert big.diagnosis.repair.outcome == "found"
    net = measured(job_of(name="coarse", compress=compress))
    assert net.diagnosis is not None
    assert "it is the compression that costs" in net.diagnosis.note


STATEFUL = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(1, 4))

    def forward(self, x):
        self.total.add_(x)
        return torch.tanh((self.total * 300).square().sum(-1) * 1e-6)


def samples():
    return [torch.full((1, 4), value) for value in (0.5, 1.0)]
"""


def test_a_stateful_model_has_its_ranges_and_says_what_is_missing(job_of: JobOf, tree: Path) -> None:
    (tree / "models" / "state.py").write_text(STATEFUL)

    record = measured(
        job_of(source="models/state.py:Net", samples="models/state.py:samples", deployment_target="iOS18")
    )

    assert record.diagnosis is not None
    first = record.diagnosis.hazards[0]
    assert (first.kind, first.bites_in) == ("overflow", None)
    assert "a stateful program cannot run twice side by side" in record.diagnosis.note
