"""One call's voice: its models, its conversation, and who cares when they fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from livekit.agents import AgentSession, CloseEvent

from worker.tools.call import Wishes
from worker.voice.care import Apology, Care
from worker.voice.parts import Member
from worker.voice.pipeline import Pipeline, build_session
from worker.voice.realtime import build_model, build_realtime_session
from worker.voice.settings import Mode
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
        build = _realtime if settings.voice_mode is Mode.REALTIME else _cascade
        self.session, members, self._closers = build(pipeline, voice, language)
        self._care = Care(
            self.session,
            on_broken,
            settings=settings,
            outages=pipeline.workshop.outages,
            members=members,
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
        for close in self._closers:
            await close()


Built = tuple[AgentSession[Wishes], tuple[Member, ...], tuple[Callable[[], Awaitable[None]], ...]]


def _cascade(pipeline: Pipeline, voice: str | None, language: str | None) -> Built:
    parts = pipeline.workshop.build(voice=voice, language=language)
    return build_session(pipeline, parts), parts.members, (parts.aclose,)


def _realtime(pipeline: Pipeline, voice: str | None, language: str | None) -> Built:
    # A voice of the one is none of the other: what is said word by word has that of the settings.
    mouth, members = pipeline.workshop.build_mouth()
    model = build_model(pipeline.settings, voice=voice, language=language)
    return build_realtime_session(model, mouth), members, (mouth.aclose, model.aclose)
