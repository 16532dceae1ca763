"""Benchmarks: each one command, each printing a ratio against a named yardstick. All load stays on 127.0.0.1."""
