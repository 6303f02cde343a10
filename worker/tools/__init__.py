"""What the agent can do besides talking. The docstring of a tool is what the model reads."""
