"""What both sides of a child process share: its job, its events, its process, and the data that it leaves."""
