"""One call's voice: its models, its conversation, and who cares when they fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from livekit.agents import AgentSession, CloseEvent

from worker.voice.care import Care
from worker.voice.parts import Member
from worker.voice.pipeline import Pipeline, build_session
from worker.voice.realtime import build_model, build_realtime_session
from worker.voice.settings import Mode, ProviderSettings
from worker.voice.trouble import Observer
from worker.voice.wishes import Wishes


class Voice:
    """Belongs to one call. The settings are those of the persona that is played.

    A user counts as away after `away_after_s` of silence; for None, never. `on_broken` is told, in
    the way the framework tells of the end of a conversation, when a stage has failed too often; the
    user has been told so by then.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        settings: ProviderSettings,
        on_broken: Callable[[CloseEvent], None],
        *,
        away_after_s: float | None = None,
    ) -> None:
        build = _realtime if settings.voice_mode is Mode.REALTIME else _cascade
        self.session, members, self._closers = build(pipeline, settings, away_after_s)
        self._care = Care(
            self.session,
            on_broken,
            settings=settings,
            outages=pipeline.workshop.outages,
            members=members,
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


def _cascade(pipeline: Pipeline, settings: ProviderSettings, away_after_s: float | None) -> Built:
    parts = pipeline.workshop.recast(settings).build()
    session = build_session(pipeline, settings, parts, away_after_s)
    return session, parts.members, (parts.aclose,)


def _realtime(pipeline: Pipeline, settings: ProviderSettings, away_after_s: float | None) -> Built:
    mouth, members = pipeline.workshop.recast(settings).build_mouth()
    model = build_model(settings)
    session = build_realtime_session(model, mouth, away_after_s)
    return session, members, (mouth.aclose, model.aclose)
