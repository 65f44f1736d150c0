"""Use cases: one verb, one transaction; no HTTP, no sockets."""
