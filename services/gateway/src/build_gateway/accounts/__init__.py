"""People: passwords, tokens, and who may try how often."""
