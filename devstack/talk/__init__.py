"""A user in a room, as a library and as `make ask`."""
