"""What an error of coremltools 9.0 means: the converter's words, looked up.

The tables were read from the ``raise`` and ``assert`` statements of its PyTorch front end
(``converters/mil/frontend/torch``) and from the checks of its MIL builder.
"""

import re
from fnmatch import fnmatchcase
from typing import Final

from coreml_gate.conversion.refusal_cause import Cause
from coreml_gate.conversion.refusals_of_models import MODEL_CAUSES
from coreml_gate.conversion.refusals_of_operations import OPERATION_CAUSES

CAUSES: Final = (*OPERATION_CAUSES, *MODEL_CAUSES)
"""Every known error; what is specific to an operation stands before what is not."""


def cause_of(words: str, operation: str = "") -> Cause | None:
    """What the converter's words mean at this operation; ``None`` where it is not known."""
    fitting = (cause for cause in CAUSES if re.search(cause.words, words))
    return next(
        (cause for cause in fitting if any(fnmatchcase(operation, name) for name in cause.operations)), None
    )
