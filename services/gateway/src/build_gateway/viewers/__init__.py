"""Viewers: what each subscribed to, what waits for it, and the socket that carries it."""
