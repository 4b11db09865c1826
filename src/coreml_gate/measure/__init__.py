"""What two runs of a model differ in, and what their outputs are worth as evidence."""
