"""The mark on a commit that branch protection requires: a check run, or a commit status in its place."""
