"""The parts of the documents that are generated, not typed: `python -m tools.reference` writes them anew."""
