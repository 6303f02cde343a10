"""From a bare Python to a machine that has everything: packages, livekit-server, Redis."""
