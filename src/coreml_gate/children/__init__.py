"""Shared by both sides of a child process: its job, its events, its process, and its output data."""
