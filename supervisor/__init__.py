"""The loops that keep sessions true to the world. One file for each failure story."""
