"""What only GitHub knows and a Verdict needs: overrides, accepted failures, changes of the configuration."""
