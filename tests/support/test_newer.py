import pytest
from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY

from coreml_gate.support.report import _PULL_REQUESTS, added_in


@pytest.mark.parametrize(
    ("operation", "number"),
    [
        ("aten::unfold", 2672),
        ("aten::prod.dim_int", 2815),
        ("aten::sort.stable", 2782),
        ("aten::_upsample_bicubic2d_aa", 2818),
        ("torchvision::roi_align", 2753),
    ],
)
def test_the_pull_request_that_brought_a_converter(operation: str, number: int) -> None:
    assert added_in(operation) == f"coremltools 9.1, not yet released (apple/coremltools#{number})"


def test_nothing_is_said_of_what_nobody_converts() -> None:
    assert added_in("aten::hypot") == ""
    assert added_in("aten::sort") == ""


def test_the_installed_version_has_none_of_them() -> None:
    known = _TORCH_OPS_REGISTRY.name_to_func_mapping
    assert [name for name in _PULL_REQUESTS if name.casefold() in known] == []
