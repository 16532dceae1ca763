"""Planning: who is notified of what, through which channel, when, and with which message."""
