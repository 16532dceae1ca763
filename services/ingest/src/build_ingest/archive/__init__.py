"""The archive: whole logs of ended builds as zstd files, kept by the artifacts service; old text is read from there."""
