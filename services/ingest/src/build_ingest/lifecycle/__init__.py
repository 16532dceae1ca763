"""Lifecycle: what happens to builds without a message: leases end, verdicts, verification, retention."""
