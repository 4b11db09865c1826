"""What a package says of itself: interface, sizes, memory, cost and compression."""
