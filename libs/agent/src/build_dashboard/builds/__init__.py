"""Builds: one build, from its first record to its last."""
