"""Measures one model in a child process, so that no source can take the gate down with it."""
