"""Builds: one fact per build, its colour, the keys it is found by, and people's overrides. Pure."""
