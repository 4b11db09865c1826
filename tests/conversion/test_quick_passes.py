"""Between passes the quick check says of every program what coremltools' own says."""

from collections.abc import Callable

import numpy as np
import pytest
from coremltools.converters.mil import Builder
from coremltools.converters.mil.mil import Block, Function, Program, Var
from coremltools.converters.mil.mil.block import InvalidBlockStateError

from coreml_gate.conversion.kept_program import quick_passes
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
    with quick_passes(), pytest.raises(type(own.value)) as ours:
        made.validate()
    assert str(ours.value) == str(own.value)


def test_a_sound_program_is_not_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    made = program()
    monkeypatch.setattr(Function, "_check_vars_visibility_in_block", refuse)
    with quick_passes():
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
    with quick_passes():
        made.functions["main"]._propagate_nonreplaceable_vars()  # what every pass ends with
    assert len(total.nonreplaceable_vars_upstream) == int(compressed)


def test_coremltools_has_its_own_again_afterwards() -> None:
    before = (Function.validate, Block._propagate_nonreplaceable_vars)  # what is replaced
    with quick_passes():
        assert Function.validate is not before[0]
        assert Block.validate is before[0], "of nested blocks its own"
    assert (Function.validate, Block._propagate_nonreplaceable_vars) == before
    assert "validate" not in vars(Function)
