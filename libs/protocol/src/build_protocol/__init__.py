"""The wire contract of the build dashboard: messages, frames, topology names and the schema of config.yaml. No I/O."""
