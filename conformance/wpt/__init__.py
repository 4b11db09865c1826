"""WebNN's conformance vectors, which real Core ML passes, against the MIL runtime."""
