"""Proposes a first configuration: which models does a repository contain, and how are they converted today?

No code of the repository is imported or run: files are read as text and as syntax trees.
"""
