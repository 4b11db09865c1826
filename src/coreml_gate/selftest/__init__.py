"""Does the gate protect this repository? Known faults, injected into the user's setup, must turn it red."""
