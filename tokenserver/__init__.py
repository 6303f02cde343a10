"""The HTTP API: start a session, follow it, stop it, join its room."""
