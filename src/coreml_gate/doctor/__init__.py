"""Does this machine do everything that the gate needs? The first thing to run on a Mac."""
