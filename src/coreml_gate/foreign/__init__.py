"""Foreign text is escaped here, where it becomes Markdown, HTML or a line of a log."""
