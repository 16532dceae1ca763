"""`build-dashboard setup`: a server from nothing, and again: the same server with this release."""
