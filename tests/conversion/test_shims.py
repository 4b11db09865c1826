import pytest
from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY

from coreml_gate.conversion.shims import IDENTITIES, identity_shims

REGISTRY = _TORCH_OPS_REGISTRY.name_to_func_mapping


def test_they_are_registered_only_within_the_block() -> None:
    before = dict(REGISTRY)
    with identity_shims():
        assert set(IDENTITIES) <= set(REGISTRY)
    assert before == REGISTRY


def test_a_converter_that_exists_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def theirs() -> None: ...

    monkeypatch.setitem(REGISTRY, "alias", theirs)
    with identity_shims():
        assert REGISTRY["alias"] is theirs
    assert REGISTRY["alias"] is theirs


def test_they_go_away_after_an_error_too() -> None:
    known = set(REGISTRY)
    with pytest.raises(KeyError), identity_shims():
        raise KeyError
    assert set(REGISTRY) == known
