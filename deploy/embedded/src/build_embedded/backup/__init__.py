"""Backup and restore: a consistent copy of everything a dashboard keeps, and a dashboard made from one."""
