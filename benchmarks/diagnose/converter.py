"""Is the first wrong operation the right one? Models with one converter bug each."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from coreml_gate.comparing.compare import comparisons
from coreml_gate.config import ModelConfig
from coreml_gate.conversion.capture import Route
from coreml_gate.conversion.mapper import Mapper
from coreml_gate.criteria import has_parity
from coreml_gate.diagnose.parity_diagnosis import diagnose_parity
from coreml_gate.diagnose.parity_failure import Failure, Suspect
from coreml_gate.diagnose.perturbed_samples import SourceAndPackage, perturbed_samples
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import load_samples
from coreml_gate.engines.source import load_source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.mil.package import read_package
from coreml_gate.record import ParityDiagnosis

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Bug:
    """A model, the route on which it goes wrong, and what has to be found."""

    title: str
    builder: str
    """In ``bugs.py``, unless it names a file."""
    route: Route
    torch_operation: str
    """Empty: nothing may be found."""
    marker: str = ""
    """What stands in the line of ``bugs.py`` that has to be named."""


BUGS = (
    Bug("sub drops alpha", "sharpen", "export", "sub", "torch.sub("),
    Bug("add drops alpha", "residual", "export", "add", "torch.add("),
    Bug("floor_divide by 1 is optimised away", "whole", "export", "floor_divide", "torch.floor_divide("),
    Bug("reciprocal adds an epsilon", "inverse", "trace", "reciprocal", "torch.reciprocal("),
    Bug("gelu drops its approximation", "approximate_gelu", "export", "gelu", 'approximate="tanh"'),
    Bug("softplus drops its threshold", "early_softplus", "trace", "softplus", "threshold=1"),
    Bug("atan2 of zero", "angle", "export", "atan2", "torch.atan2("),
    Bug("a write through a view is lost", "write_through_view", "trace", "add_", ".add_(1)"),
    Bug("expm1 loses small values", "small_exponential", "export", "expm1", "torch.expm1("),
    Bug("two at once: the first is named", "two_at_once", "export", "add", "torch.add("),
    Bug("sound, by export", "plain", "export", ""),
    Bug("sound, by trace", "plain", "trace", ""),
    Bug("sound: ResNet-50, random weights", "resnet.py:ResNet50", "export", ""),
)


def examine(bug: Bug) -> ParityDiagnosis | None:
    """The gate's own steps on one model: nothing where no sample differs."""
    file, _, builder = bug.builder.rpartition(":")
    samples_of = "resnet.py:images" if file else "bugs.py:samples"
    source_of = f"{file or 'bugs.py'}:{builder}"
    config = ModelConfig(name="model", source=source_of, samples=samples_of, conversion=bug.route)
    source = load_source(config.source, HERE)
    samples = load_samples(config, source, HERE, 2)
    with tempfile.TemporaryDirectory() as folder:
        mapped = Mapper(source, samples, config, Path(folder), bug.route).mapped()
        package = load_mil_engine(read_package(mapped.package), "fp32", ("output_0",), config)
        sides = SourceAndPackage(SourceEngine(source), package, config, config.limits.parity)
        suspect = _suspect(sides, samples.samples)
        if suspect is None:
            return None
        return diagnose_parity(Failure(source, samples, config, Path(folder), bug.route, suspect))


def _suspect(sides: SourceAndPackage, samples: tuple[dict[str, Tensor], ...]) -> Suspect | None:
    for index, sample in enumerate(samples):
        answers = sides.source.run(sample), sides.package.run(sample)
        if not has_parity(comparisons(*answers, index), sides.limits):
            return Suspect("samples", sample, index)
    for perturbed, changed in perturbed_samples(sides, samples[0]):
        if not has_parity(perturbed.comparisons, sides.limits):
            return Suspect(perturbed.name, changed, 0)
    return None


def is_found(bug: Bug, diagnosis: ParityDiagnosis | None) -> bool:
    """The expected operation at the expected line, or nothing where nothing is wrong."""
    if diagnosis is None or not bug.torch_operation:
        return diagnosis is None and not bug.torch_operation
    found = diagnosis.first_wrong
    return found.torch_operation == bug.torch_operation and bug.marker in text_at(found.place, HERE)


def text_at(place: str, folder: Path) -> str:
    """The line of a file of this folder: of ``bugs.py:12`` the twelfth."""
    file, _, line = place.rpartition(":")
    return (folder / file).read_text(encoding="utf-8").splitlines()[int(line) - 1] if file else ""
