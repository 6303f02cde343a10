"""One call's voice: its models, its conversation, and who cares when they fail."""

from __future__ import annotations

from collections.abc import Callable

from livekit.agents import CloseEvent

from worker.voice.care import Apology, Care
from worker.voice.pipeline import Pipeline, build_session
from worker.voice.trouble import Observer


class Voice:
    """Belongs to one call. `voice` and `language` are those of the settings when None.

    `on_broken` is told, in the way the framework tells of the end of a conversation, when a
    stage has failed too often; the user has been told so by then.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        on_broken: Callable[[CloseEvent], None],
        *,
        voice: str | None = None,
        language: str | None = None,
        apology: str | None = None,
    ) -> None:
        settings = pipeline.settings
        self._parts = pipeline.workshop.build(voice=voice, language=language)
        self.session = build_session(pipeline, self._parts)
        self._care = Care(
            self.session,
            on_broken,
            settings=settings,
            outages=pipeline.workshop.outages,
            members=self._parts.members,
            apology=Apology(text=settings.apology if apology is None else apology, voice=voice),
        )

    def observe(self, observer: Observer) -> None:
        """Have somebody told of each trouble with a provider from now on."""
        self._care.observe(observer)

    def watch(self) -> None:
        """Care from now on; to be called before the conversation starts."""
        self._care.start()

    async def aclose(self) -> None:
        """Let go of what is still under way."""
        await self._care.aclose()
        await self._parts.aclose()
