"""The one door for foreign text: it is escaped where it becomes Markdown, HTML or a line of a log."""
