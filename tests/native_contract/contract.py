"""The facts of coremltools' macOS wheel, as ``make native-contract`` wrote them."""

import json
import re
from pathlib import Path
from typing import Any, Final

CONTRACT: Final = Path(__file__).with_name("contract.json")


def read_contract() -> dict[str, Any]:
    """All facts."""
    facts: dict[str, Any] = json.loads(CONTRACT.read_text(encoding="utf-8"))
    return facts


def parameters(signature: str) -> tuple[str, ...]:
    """The types of the parameters, ``self`` included: ``%``, ``dict``, ``str``, ..."""
    return tuple(re.findall(r"\{([^}]*)\}", signature.rpartition(" -> ")[0]))
