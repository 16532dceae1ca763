"""Planning: who is notified of what, through which channel, when, and in which words."""
