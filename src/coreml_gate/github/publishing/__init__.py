"""Everything that people see: the check, the comment, suggestions, annotations, the summary, outputs."""
