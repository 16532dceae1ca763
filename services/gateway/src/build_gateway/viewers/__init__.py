"""Viewers: what each wants to hear, what waits for it, and the socket that carries it."""
