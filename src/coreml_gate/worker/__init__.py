"""Runs whatever may crash or hang in child processes, and turns every ending into a value."""
