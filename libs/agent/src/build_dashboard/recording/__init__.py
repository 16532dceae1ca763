"""Recording: raw output becomes numbered, redacted records in the spool."""
