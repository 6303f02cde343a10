"""One session, as its agent lives through it."""
