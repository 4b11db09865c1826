"""Does the gate guard this repository: known faults, injected into the user's own setup, must turn it red."""
