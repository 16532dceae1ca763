"""The signing key of tests and benchmarks: made anew for every run, so that nobody ever deploys it."""

import secrets

SECRET = secrets.token_hex(32)
