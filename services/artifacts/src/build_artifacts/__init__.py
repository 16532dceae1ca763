"""artifacts keeps what builds produce: it plans uploads, verifies the bytes, links downloads, deletes what is old."""
