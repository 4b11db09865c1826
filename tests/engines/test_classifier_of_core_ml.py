"""Core ML's answers for a classifier beside the source's scores: in their order, without the label."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.children.job import DescribedPackage
from coreml_gate.engines.coreml import CoreMlEngine
from coreml_gate.frozen import changed
from coreml_gate.record import FeatureFacts
from tests.builders import package

LABEL = FeatureFacts(name="label", kind="string", dtype="string")
SCORES = FeatureFacts(name="label_probs", kind="dictionary", dtype="string")
FACTS = changed(package(), outputs=(LABEL, SCORES))


class Answering:
    """A compiled model that gives scores in an order of its own, as Core ML does."""

    def __init__(self, scores: Mapping[str | int, float]) -> None:
        self._scores = dict(sorted(scores.items(), key=lambda pair: pair[1]))

    def predict(self, _: Mapping[str, object], __: object) -> dict[str, Any]:
        return {"label": max(self._scores, key=lambda key: self._scores[key]), "label_probs": self._scores}


@pytest.mark.parametrize(
    "classes", [("owl", "cat", "dog"), (30, 10, 20), ("10", "9", "1")], ids=["text", "numbers", "digits"]
)
def test_scores_come_in_the_order_of_the_classes(classes: tuple[str | int, ...]) -> None:
    given = dict(zip(classes, (0.5, 0.2, 0.3), strict=True))
    asked = DescribedPackage.of(FACTS, Path(), ("scores",))
    model: Any = Answering(given)
    engine = CoreMlEngine(model, (), asked.outputs, asked.output_names, classes=classes)

    answer = engine.predict({}, None)

    assert list(answer) == ["scores"]
    assert answer["scores"].shape == (1, 3)
    assert answer["scores"][0].tolist() == pytest.approx([0.5, 0.2, 0.3])


@pytest.mark.parametrize(
    ("names", "outputs", "kept"),
    [
        (("scores",), (SCORES,), ("scores",)),
        (("first", "second"), (LABEL, SCORES), ("first", "second")),
        ((), (LABEL, SCORES), ()),
        (("a", "b", "c"), (LABEL, SCORES), ()),
    ],
)
def test_the_label_is_left_out_only_where_the_source_has_no_counterpart(
    names: tuple[str, ...], outputs: tuple[FeatureFacts, ...], kept: tuple[str, ...]
) -> None:
    asked = DescribedPackage.of(FACTS, Path(), names)

    assert (asked.outputs, asked.output_names) == (outputs, kept)
