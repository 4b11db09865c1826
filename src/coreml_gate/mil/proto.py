"""Imports coremltools' protobuf classes alone: 0.05 s, where ``import coremltools`` takes 4 s.

``coremltools/__init__.py`` imports every converter, torch included; the generated message classes under
``coremltools/proto`` need none of it. While they are imported, an empty module that only has the package's
``__path__`` stands in for ``coremltools``; it leaves ``sys.modules`` right after. The message modules stay
there: a later ``import coremltools`` runs its real ``__init__`` and finds them already loaded, so there is
one class per message in the process (two would not mix). ``from . import proto`` works without the parent's
attribute, because Python's ``from`` falls back to ``sys.modules``.
"""

import importlib
import importlib.util
import sys
import types

from coreml_gate.errors import PackageError
from coreml_gate.untyped import Message

_MODULE = "coremltools.proto.Model_pb2"


def model_class() -> Message:
    """The ``Model`` message class: coremltools' own, whether or not coremltools itself is imported."""
    if "coremltools" in sys.modules:
        return importlib.import_module(_MODULE).Model
    if _MODULE in sys.modules:
        return sys.modules[_MODULE].Model
    spec = importlib.util.find_spec("coremltools")
    if spec is None or spec.submodule_search_locations is None:
        raise PackageError(
            "coremltools is not installed, so no package can be read.", "pip install coremltools"
        )
    stub = types.ModuleType("coremltools")
    stub.__path__ = list(spec.submodule_search_locations)
    sys.modules["coremltools"] = stub
    try:
        return importlib.import_module(_MODULE).Model
    finally:
        del sys.modules["coremltools"]


def parse_model(data: bytes) -> Message:
    """Parse a ``Model`` message.

    :raises ValueError: The bytes are not such a message.
    """
    model = model_class()
    decode_error: type[Exception] = importlib.import_module("google.protobuf.message").DecodeError
    try:
        return model.FromString(data)
    except decode_error as error:
        raise ValueError(str(error)) from error
