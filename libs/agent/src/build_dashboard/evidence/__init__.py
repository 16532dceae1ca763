"""Evidence: what explains a build beside its output."""
