"""Does this machine do what the gate needs of it? The first thing to run on a Mac."""
