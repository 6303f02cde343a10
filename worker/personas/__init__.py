"""Personas: whom users talk with, each a file."""
