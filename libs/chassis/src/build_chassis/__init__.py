"""What every service shares: bus, settings, auth, health, metrics, logging, stores' engines."""
