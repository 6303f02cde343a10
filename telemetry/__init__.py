"""Logs that machines can read and that hold no secrets."""
