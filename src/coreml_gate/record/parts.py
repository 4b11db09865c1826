"""The parts of a Record that are lists, or values that other fields hold as well."""

from pydantic import NonNegativeInt

from coreml_gate.record.base import WrappedPart
from coreml_gate.record.comparison import Comparison, MetricValue, RefusedShape
from coreml_gate.record.core_ml import Placement
from coreml_gate.record.diagnosis import PerturbedSample
from coreml_gate.record.rules import RuleMatch


class Outline(WrappedPart[tuple[str, ...]]):
    """The program of the package, one line per operation."""

    FIELD = "outline"


class Parity(WrappedPart[tuple[Comparison, ...]]):
    """Source against the float32 package."""

    FIELD = "parity"


class Precision(WrappedPart[tuple[Comparison, ...]]):
    """The float32 package against the package that ships."""

    FIELD = "precision"


class RefusedShapes(WrappedPart[tuple[RefusedShape, ...]]):
    """Allowed shapes that one side takes and the other does not."""

    FIELD = "refused_shapes"


class AllowedShapes(WrappedPart[tuple[PerturbedSample, ...]]):
    """Source against the float32 package at allowed shapes that no sample has."""

    FIELD = "allowed_shapes"


class PerturbedSamples(WrappedPart[tuple[PerturbedSample, ...]]):
    """Source against the float32 package on changed samples."""

    FIELD = "adversarial"


class Metrics(WrappedPart[tuple[MetricValue, ...]]):
    """The user's own metrics, by side."""

    FIELD = "metrics"


class Opened(WrappedPart[tuple[str, ...]]):
    """Files and folders of the repository that were read while the model was measured."""

    FIELD = "opened"


class PeakBytes(WrappedPart[NonNegativeInt]):
    """The most that the process held in which the model was measured."""

    FIELD = "peak_bytes"


class UnsupportedOperations(WrappedPart[tuple[str, ...]]):
    """Operations that our runtime does not know."""

    FIELD = "unsupported"


class RuleMatches(WrappedPart[tuple[RuleMatch, ...]]):
    """The known pitfalls found."""

    FIELD = "rules"


class PredictedPlacement(WrappedPart[Placement]):
    """Where Core ML is likely to run each operation, by documented rules."""

    FIELD = "predicted_placement"
