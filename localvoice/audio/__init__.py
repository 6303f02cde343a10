"""Recordings to text and text to speech; knows nothing of HTTP beyond its error types."""
