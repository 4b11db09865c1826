import io

import numpy as np
import pytest

from coreml_gate.arrays import save_arrays


def test_the_arrays_are_stored_and_nothing_else() -> None:
    file = io.BytesIO()
    save_arrays(file, {"0/core-ml/x": np.arange(3.0), "label": np.asarray(["owl"])})
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        assert sorted(stored) == ["0/core-ml/x", "label"]
        assert stored["label"].tolist() == ["owl"]


def test_python_objects_are_never_pickled() -> None:
    with pytest.raises(ValueError, match="the array `y` holds Python objects"):
        save_arrays(io.BytesIO(), {"y": np.asarray([{}, None], dtype=object)})
