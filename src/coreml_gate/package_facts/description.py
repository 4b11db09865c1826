"""Everything that can be read off a package without running it, as parts of a Record."""

from collections.abc import Mapping
from typing import Literal

from coreml_gate.mil.graph import Peak, histogram
from coreml_gate.mil.ir import Feature
from coreml_gate.mil.package import Package
from coreml_gate.record import FeatureFacts, LiveValue, MemoryFacts, PackageFacts

LARGEST_LIVE_VALUES = 8

_KINDS: Mapping[str, Literal["array", "image", "state", "string", "dictionary"]] = {
    "multiarray": "array",
    "image": "image",
    "state": "state",
    "dictionary": "dictionary",
    "sequence": "dictionary",
}


def package_facts(package: Package, path: str) -> PackageFacts:
    """Describe a package: sizes in bytes, interface, and operations by type; ``path`` is written as given."""
    interface = package.interface
    return PackageFacts(
        path=path,
        fingerprint=package.fingerprint(),
        total_bytes=package.total_bytes,
        weight_bytes=package.weight_bytes,
        program_bytes=package.program_bytes,
        deployment_target=package.deployment_target,
        function=package.default_function if package.other_functions else None,
        other_functions=package.other_functions,
        inputs=tuple(_feature_facts(feature) for feature in interface.inputs),
        outputs=tuple(_feature_facts(feature) for feature in interface.outputs),
        states=tuple(_feature_facts(feature) for feature in interface.states),
        operations=dict(sorted(histogram(package.function()).items())),
    )


def memory_facts(package: Package, peak: Peak) -> MemoryFacts:
    """Memory of weights, which stay mapped as long as the model, plus the peak of live activations."""
    largest = sorted(peak.live, key=lambda live: -live.bytes)[:LARGEST_LIVE_VALUES]
    return MemoryFacts(
        weight_bytes=package.weight_bytes,
        activation_bytes=peak.bytes,
        peak_operation=peak.operation,
        live=tuple(LiveValue(name=live.name, bytes=live.bytes) for live in largest),
    )


def _feature_facts(feature: Feature) -> FeatureFacts:
    return FeatureFacts(
        name=feature.name,
        kind=_KINDS.get(feature.kind, "string"),
        dtype=feature.dtype,
        shape=feature.shape,
        flexibility=feature.wanted() if feature.flexible else "",
        optional=feature.optional,
    )
