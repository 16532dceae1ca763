"""One fact per build, and everything that follows from the facts: trends, groups, incidents, commits, pins."""
