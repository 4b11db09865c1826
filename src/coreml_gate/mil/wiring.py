"""Does every operation read only what exists by then? All that reads a program may rely on it."""

from coreml_gate.errors import PackageError
from coreml_gate.mil.ir import Block, Function, Operation

_SHOWN = 80
"""Characters of a foreign name in a message."""
_AGAIN = "the package is damaged: convert the model again, or fetch the package again."


def check_wiring(function: Function) -> None:
    """Values are given before they are read, and constants hold a value and read none.

    :raises PackageError: An operation or a block's output does otherwise; the message names it.
    """
    given = {value.name for value in function.inputs}
    _check_block(function.block, given)


def _check_block(block: Block, around: set[str]) -> None:
    given = around | {value.name for value in block.inputs}
    for operation in block.operations:
        _check_reads(operation, given)
        _check_constant(operation)
        for nested in operation.blocks:
            _check_block(nested, given)
        given.update(value.name for value in operation.outputs)
    missing = next((name for name in block.outputs if name not in given), None)
    if missing is not None:
        raise PackageError(f"the output `{missing[:_SHOWN]}` is nothing that an operation gives.", _AGAIN)


def _check_reads(operation: Operation, given: set[str]) -> None:
    missing = next((name for name in operation.reads() if name not in given), None)
    if missing is not None:
        raise PackageError(
            f"operation `{operation.name[:_SHOWN]}` ({operation.type[:_SHOWN]}) reads `{missing[:_SHOWN]}`, "
            "which nothing before it gives.",
            _AGAIN,
        )


def _check_constant(operation: Operation) -> None:
    is_held = operation.type == "const"
    if is_held and ("val" not in operation.attributes or operation.inputs or len(operation.outputs) != 1):
        raise PackageError(f"the constant `{operation.name[:_SHOWN]}` holds no value of its own.", _AGAIN)
