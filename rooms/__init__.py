"""LiveKit rooms: the only package that talks to the LiveKit server API and mints its tokens."""
