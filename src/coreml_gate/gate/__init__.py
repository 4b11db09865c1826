"""What the gate does with models: which to measure, what was measured, what it means."""
