"""Analysis: reads the logs of builds as they grow, and again when the rules change."""
