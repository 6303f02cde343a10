"""How a request becomes a call: bodies, guards, errors, and what surrounds every answer."""
