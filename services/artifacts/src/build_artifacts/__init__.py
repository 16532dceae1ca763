"""artifacts keeps what builds produce: it plans uploads, verifies the bytes, links downloads, forgets what is old."""
