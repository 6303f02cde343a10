"""The HTTP side: one module per path, and what all paths share."""
