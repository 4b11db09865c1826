"""The check that branch protection requires on a commit: a check run, or a commit status instead."""
