"""The output of a classifier: the best label, and the probability of each label."""

from torch import Tensor

from coreml_gate.runtime.registry import EXACT, operation

Labels = tuple[str | int, ...]


@operation(EXACT)
def classify(probabilities: Tensor, classes: Labels) -> tuple[str | int, dict[str | int, float]]:
    flat = probabilities.reshape(-1).tolist()
    best = max(range(len(flat)), key=flat.__getitem__)
    return classes[best], dict(zip(classes, flat, strict=True))
