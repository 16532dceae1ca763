"""The embedded system: all five services in one process, for a small team or one machine."""
