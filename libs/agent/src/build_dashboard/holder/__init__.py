"""The holder: the process that owns a build's command, and how the agent starts and reads it."""
