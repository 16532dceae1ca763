"""Records: what notifier keeps: its copy of each branch, notifications, mutes, and the keys they go by. Pure."""
