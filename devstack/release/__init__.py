"""A release, tried before it is one: built, looked into, installed elsewhere, spoken with."""
