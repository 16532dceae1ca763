"""Redaction: secrets are replaced before anything is spooled or sent. Pure, but for the rules' own file."""
