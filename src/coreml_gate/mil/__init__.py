"""Reading Core ML packages: the ML Program (MIL) as frozen dataclasses, its weights memory-mapped."""
