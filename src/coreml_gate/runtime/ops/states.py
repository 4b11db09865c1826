"""States: tensors that live from one prediction to the next (iOS 18)."""

from dataclasses import dataclass

from torch import Tensor

from coreml_gate.runtime.registry import EXACT, operation


@dataclass(slots=True)
class State:
    """A state during one run: writing replaces the tensor, so values read before do not change."""

    value: Tensor


@operation(EXACT)
def read_state_ios18(input: State) -> Tensor:
    return input.value


@operation(EXACT)
def write_state_ios18(input: State, data: Tensor) -> tuple[()]:
    input.value = data
    return ()
