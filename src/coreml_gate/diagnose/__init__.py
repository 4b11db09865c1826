"""From "half precision costs too much" to the operation, the reason and the line to change."""
