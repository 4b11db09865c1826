"""Input from GitHub and the runner as frozen values, without any decisions."""
