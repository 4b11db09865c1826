"""Reads Core ML packages: the ML Program (MIL) as frozen dataclasses, with memory-mapped weights."""
