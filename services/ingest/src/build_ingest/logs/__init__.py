"""Logs: a build's text in pages, as a stream, and searched."""
