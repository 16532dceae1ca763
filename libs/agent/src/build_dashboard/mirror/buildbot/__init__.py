"""Buildbot: a mirror of a master by its REST API, made fast by its WebSocket."""
