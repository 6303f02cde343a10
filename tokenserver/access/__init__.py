"""Who may do what, and how often: callers, their proofs, and rate limits."""
