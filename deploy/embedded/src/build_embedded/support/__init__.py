"""`build-dashboard support-bundle`: what whoever helps needs to know of a server, without what they must not."""
