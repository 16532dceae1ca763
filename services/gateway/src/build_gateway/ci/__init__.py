"""Jobs of a CI, which show a token of its issuer instead of a key."""
