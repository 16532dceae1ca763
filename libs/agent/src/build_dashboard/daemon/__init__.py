"""The daemon: agents that live on, and build again and again."""
