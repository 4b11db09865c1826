"""What a Verdict needs from GitHub: overrides, accepted failures, changes of the configuration."""
