"""The gate in code: the functions that ``import coreml_gate`` offers, on the same path as the command line.

A name that :data:`coreml_gate.__all__` lists is stable: docs/api.md says what that promises.
"""
