"""Refresh: brings stored projection rows up to date with the facts."""
