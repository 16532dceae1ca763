"""Planning: who is notified of what, through which channel, and when."""
