"""Projections: what follows from the facts of many builds. Pure; knows builds only."""
