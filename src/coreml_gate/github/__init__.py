"""Everything that talks to GitHub: events, artifacts, the comment, the check run, and the privileged half."""
