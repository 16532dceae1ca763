"""Letters: what is said, as facts, and how each medium says it."""
