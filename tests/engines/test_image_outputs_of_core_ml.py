"""Core ML's image outputs beside a source: as values of the source's shape and order of channels."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from coreml_gate.engines.coreml import CoreMlEngine
from coreml_gate.record import FeatureFacts

PICTURE = FeatureFacts(name="picture", kind="image", dtype="")
COLOURS = np.stack([np.full((2, 3), 10), np.full((2, 3), 20), np.full((2, 3), 30), np.full((2, 3), 255)], -1)


class Drawing:
    """A compiled model that gives an opaque colour image, as Core ML does."""

    def predict(self, _: object, __: object) -> dict[str, Any]:
        return {"picture": Image.fromarray(COLOURS.astype(np.uint8))}


@pytest.mark.parametrize(("color", "channels"), [("RGB", [10, 20, 30]), ("BGR", [30, 20, 10])])
def test_an_image_has_the_source_s_planes(color: str, channels: list[int]) -> None:
    model: Any = Drawing()
    engine = CoreMlEngine(model, (), (PICTURE,), ("y",), colors={"picture": color})

    given = engine.predict({}, None)["y"]

    assert given.shape == (1, 3, 2, 3)
    assert given.dtype == np.float32
    assert given[0, :, 0, 0].tolist() == channels


def test_without_a_source_an_image_stays_one() -> None:
    model: Any = Drawing()
    assert CoreMlEngine(model, (), (PICTURE,), ("y",)).predict({}, None)["y"].shape == (2, 3, 3)
