"""The agents: a livekit-agents server whose processes are warm before a job comes."""
