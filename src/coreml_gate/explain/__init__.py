"""Explains each finding, rule, known bug and error, in the terminal and in docs/explain.md."""
