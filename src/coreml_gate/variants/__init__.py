"""Which package of a model to ship: its variants side by side, and the smallest sufficient compression."""
