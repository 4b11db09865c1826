"""A git repository whose models are measured by stored Records."""

from tests.gate.conftest import environ, folder, recorded

__all__ = ["environ", "folder", "recorded"]
