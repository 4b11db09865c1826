"""Facts read off a package: interface, sizes, memory, cost and compression."""
