"""Engines run a model: the PyTorch source, our MIL runtime, or Core ML."""
