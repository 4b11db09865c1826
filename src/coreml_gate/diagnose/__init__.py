"""Finds the operation, the reason and the line behind a failure of precision or parity."""
