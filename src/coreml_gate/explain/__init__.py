"""What each finding, rule, known bug and error is, and what to do: in the terminal and in docs/explain.md."""
