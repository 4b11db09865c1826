"""What the quick conversion leaves out of coremltools' work has no effect."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from coremltools.converters.mil import Builder
from coremltools.converters.mil.backend.mil import helper
from coremltools.converters.mil.backend.mil.load import BlobWriter
from coremltools.converters.mil.mil import Block, Function, Program, Var
from coremltools.converters.mil.mil.block import InvalidBlockStateError
from coremltools.converters.mil.mil.passes.defs.quantization import FP16ComputePrecision

from coreml_gate.conversion.quick import quick_conversion
from coreml_gate.untyped import CoreMlObject


def program() -> Program:
    @Builder.program(input_specs=[Builder.TensorSpec((3,))])
    def built(x: CoreMlObject) -> CoreMlObject:
        doubled = Builder.add(x=x, y=x, name="doubled")
        return Builder.concat(values=[doubled, x, doubled], axis=0, name="joined")

    return built


def operation(made: Program, name: str) -> CoreMlObject:
    return next(each for each in made.functions["main"].operations if each.name == name)


def _forgotten_reader(made: Program) -> None:
    operation(made, "doubled").outputs[0].child_ops.pop()


def _reader_too_many(made: Program) -> None:
    operation(made, "doubled").outputs[0].child_ops.append(operation(made, "doubled"))


def _no_output(made: Program) -> None:
    operation(made, "doubled")._output_vars = None


def _lost_internal(made: Program) -> None:
    made.functions["main"]._internal_vars.add(operation(made, "doubled").outputs[0])


def _lost_output(made: Program) -> None:
    operation(made, "joined").outputs[0].consuming_blocks.clear()


def _before_its_operand(made: Program) -> None:
    main = made.functions["main"]
    main.operations.remove(operation(made, "doubled"))


DAMAGES = [_forgotten_reader, _reader_too_many, _no_output, _lost_internal, _lost_output, _before_its_operand]


REFUSALS = (InvalidBlockStateError, ValueError, TypeError, UnboundLocalError)
"""The last is a slip of coremltools' own, in the message on a lost output."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_program_is_refused_in_coremltools_own_words(damage: Callable[[Program], None]) -> None:
    made = program()
    damage(made)
    with pytest.raises(REFUSALS) as own:
        made.validate()
    with quick_conversion(), pytest.raises(type(own.value)) as ours:
        made.validate()
    assert str(ours.value) == str(own.value)


def test_a_sound_program_is_not_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    made = program()
    monkeypatch.setattr(Function, "_check_vars_visibility_in_block", refuse)
    with quick_conversion():
        made.validate()
        with pytest.raises(ValueError, match="missing essential scopes"):
            _scoped(made).validate(check_essential_scope=True)
    with pytest.raises(AssertionError):
        made.validate()


def _scoped(made: Program) -> Program:
    main = made.functions["main"]
    main._essential_scope_sources = ["torch"]  # as the front end does
    return made


@pytest.mark.parametrize("compressed", [False, True])
def test_compressed_weights_stand_above_what_is_computed_of_them(compressed: bool) -> None:
    @Builder.program(input_specs=[Builder.TensorSpec((4,))])
    def made(x: CoreMlObject) -> CoreMlObject:
        if not compressed:
            return Builder.add(x=x, y=x, name="sum")
        weight = Builder.constexpr_lut_to_dense(
            indices=np.array([0b11100100], np.uint8),
            lut=np.array([1.0, 2.0, 3.0, 4.0], np.float16),
            shape=np.array([4], np.uint32),
        )
        return Builder.add(x=x, y=Builder.cast(x=weight, dtype="fp32"), name="sum")

    total: Var = operation(made, "sum").outputs[0]
    total.nonreplaceable_vars_upstream = {total}
    with quick_conversion():
        made.functions["main"]._propagate_nonreplaceable_vars()  # what every pass ends with
    assert len(total.nonreplaceable_vars_upstream) == int(compressed)


def test_coremltools_has_its_own_again_afterwards() -> None:
    before = (Function.validate, Block._propagate_nonreplaceable_vars)  # what is replaced
    with quick_conversion():
        assert Function.validate is not before[0]
        assert Block.validate is before[0], "of nested blocks its own"
    assert (Function.validate, Block._propagate_nonreplaceable_vars) == before
    assert "validate" not in vars(Function)


CONSTANTS = {
    "float32": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4),
    "float16": np.linspace(-1, 1, 12, dtype=np.float16).reshape(3, 4),
    "other order": np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3).T,
    "integers": np.arange(12, dtype=np.int8).reshape(3, 4),
}


@pytest.mark.parametrize("kind", CONSTANTS)
def test_weights_have_the_same_bytes_in_their_file(kind: str, tmp_path: Path) -> None:
    value = SimpleNamespace(val=CONSTANTS[kind], dtype=None)
    with quick_conversion():
        quick = helper._get_offset_by_writing_data(value, BlobWriter(str(tmp_path / "quick")))
    assert quick == helper._get_offset_by_writing_data(value, BlobWriter(str(tmp_path / "own")))
    assert (tmp_path / "quick").read_bytes() == (tmp_path / "own").read_bytes()


def test_a_constant_keeps_its_value_and_gets_it_back() -> None:
    @Builder.program(input_specs=[Builder.TensorSpec((3,))])
    def made(x: CoreMlObject) -> CoreMlObject:
        return Builder.add(x=x, y=np.array([1.0, 2.0, 3.0], np.float32), name="sum")

    (constant,) = (each for each in made.functions["main"].operations if each.op_type == "const")
    given, other = constant.outputs[0].val, operation(made, "sum").outputs[0]
    with quick_conversion():
        constant.type_value_inference(overwrite_output=True)
        assert constant.outputs[0].val is given
        constant.outputs[0]._sym_val = other._sym_val
        constant.type_value_inference(overwrite_output=True)
        assert constant.outputs[0].val is given


@pytest.mark.parametrize(("length", "kept"), [(399, 2.0**-24), (400, 0.0)])
def test_few_small_values_do_not_become_zero_in_half_precision(length: int, kept: float) -> None:
    """As in coremltools; of a long array no copy is made, which only its length was read of."""
    small = np.full(length, 1e-9, np.float32)
    half = SimpleNamespace(val=small.astype(np.float16), _sym_val=SimpleNamespace(val=None))
    for context in (quick_conversion(), nullcontext()):
        half._sym_val.val = half.val
        with context:
            FP16ComputePrecision()._check_underflow_to_zero(half, SimpleNamespace(val=small))
        assert (half._sym_val.val == np.float16(kept)).all()
