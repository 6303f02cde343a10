"""Who the user talks to: hearing, thinking, speaking."""
