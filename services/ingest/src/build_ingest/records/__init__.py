"""Records: what an agent sent, decoded, ordered, folded and packed. Pure."""
