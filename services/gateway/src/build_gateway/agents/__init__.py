"""Agents: their sockets, what they may send, and how far it is confirmed and stored."""
