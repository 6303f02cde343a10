"""A release, tried before it is one: built, looked through, installed elsewhere, and spoken with."""
