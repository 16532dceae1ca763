"""notifier: notifies people of incidents, once."""
