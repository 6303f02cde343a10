"""The life of a session: its states, and the Redis store that is the only place they live."""
