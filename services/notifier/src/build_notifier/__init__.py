"""notifier: tells people about incidents, once."""
