"""An OpenAI-compatible speech and chat endpoint that needs no key, no network and no GPU."""
