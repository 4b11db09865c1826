"""A first configuration: which models does a repository hold, and how are they converted today?

Nothing of the repository is imported or run: files are read as text and as syntax trees.
"""
