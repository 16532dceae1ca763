"""Messages: their content as facts, and how each medium renders it."""
