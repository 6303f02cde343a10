"""What the Dockerfiles say, tried on a machine without a container engine."""
