"""The Python API, ``import coreml_gate``, which runs the same code as the command line.

The names in :data:`coreml_gate.__all__` are stable; docs/api.md says what that means.
"""
