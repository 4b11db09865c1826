"""A Record: what one run measured, without a judgement. It is the result file and the baseline in one.

A Record holds no limit and no status, so stored Records can be judged again under other limits without
running anything. Numbers that are not finite never enter it: JSON has none, so "infinite" is always a count,
or a ``None`` with its meaning said at the field.

History of the format:
    1  first version
"""

from coreml_gate.record.comparison import Comparison, MetricValue, NonFinite, OutputSensitivity, Place, TopOne
from coreml_gate.record.core_ml import (
    ChildEnding,
    ComputeDevice,
    ComputeUnits,
    CoreMlFacts,
    CoreMlRun,
    Footprints,
    Machine,
    Metric,
    OffEngine,
    Placement,
    TimedMetric,
    Timing,
)
from coreml_gate.record.diagnosis import (
    AlignmentState,
    Diagnosis,
    FirstWrong,
    HalfMode,
    Hazard,
    HazardKind,
    OperationError,
    OtherRoute,
    ParityDiagnosis,
    Repair,
    Rewrite,
    Variant,
)
from coreml_gate.record.document import (
    SCHEMA_VERSION,
    AcceptedFailure,
    ModelRecord,
    Record,
    SkippedModel,
    parse_record,
    read_record,
    write_record,
)
from coreml_gate.record.litert import LiteRtFacts
from coreml_gate.record.measured import Measured, Side
from coreml_gate.record.on_device import DeviceFacts
from coreml_gate.record.package import (
    CompressionFacts,
    CostFacts,
    FeatureFacts,
    LayerCompression,
    LiveValue,
    MemoryFacts,
    ModuleCost,
    OverheadFacts,
    PackageFacts,
    ShapeMemory,
)
from coreml_gate.record.rules import RuleMatch, RulePlace
from coreml_gate.record.source import ConversionFacts, Environment, MissingOperation, Problem, SourceFacts

__all__ = [
    "SCHEMA_VERSION",
    "AcceptedFailure",
    "AlignmentState",
    "ChildEnding",
    "Comparison",
    "CompressionFacts",
    "ComputeDevice",
    "ComputeUnits",
    "ConversionFacts",
    "CoreMlFacts",
    "CoreMlRun",
    "CostFacts",
    "DeviceFacts",
    "Diagnosis",
    "Environment",
    "FeatureFacts",
    "FirstWrong",
    "Footprints",
    "HalfMode",
    "Hazard",
    "HazardKind",
    "LayerCompression",
    "LiteRtFacts",
    "LiveValue",
    "Machine",
    "Measured",
    "MemoryFacts",
    "Metric",
    "MetricValue",
    "MissingOperation",
    "ModelRecord",
    "ModuleCost",
    "NonFinite",
    "OffEngine",
    "OperationError",
    "OtherRoute",
    "OutputSensitivity",
    "OverheadFacts",
    "PackageFacts",
    "ParityDiagnosis",
    "Place",
    "Placement",
    "Problem",
    "Record",
    "Repair",
    "Rewrite",
    "RuleMatch",
    "RulePlace",
    "ShapeMemory",
    "Side",
    "SkippedModel",
    "SourceFacts",
    "TimedMetric",
    "Timing",
    "TopOne",
    "Variant",
    "parse_record",
    "read_record",
    "write_record",
]
