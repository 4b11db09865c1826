"""Starts a child process for whatever may crash or hang, and turns how it ends into values."""
