"""What an agent says that takes over from another: a clip like the greeting."""

from __future__ import annotations

from worker.settings import WorkerSettings
from worker.voice.greeting import Clip, keep_greeting, load_greeting


def load_resume_line(settings: WorkerSettings) -> Clip | None:
    """Return the spoken line, if it has been made."""
    return load_greeting(_as_greeting(settings))


async def keep_clips(settings: WorkerSettings) -> None:
    """Make the greeting and the line, unless they are there: see `keep_greeting`."""
    await keep_greeting(settings)
    await keep_greeting(_as_greeting(settings))


def _as_greeting(settings: WorkerSettings) -> WorkerSettings:
    """Return settings whose greeting is the line: all that is true of the one is of the other."""
    return settings.model_copy(update={"agent_greeting": settings.resume_greeting})
