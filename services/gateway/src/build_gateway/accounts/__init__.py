"""People: passwords, tokens, and how often a login may be tried."""
