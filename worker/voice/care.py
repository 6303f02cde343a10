"""What happens when a model fails in a call: it is told, shared, and the user hears of it.

The framework ends a conversation after so many failures, in silence. Here each failed answer is
apologised for, from a clip, and the user can try again; only when a stage failed several times in
a row, the call is over, and not before the apology was heard to its end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from livekit.agents import (
    AgentSession,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    ErrorEvent,
    metrics,
)
from livekit.agents.llm import ChatMessage, LLMError, RealtimeModelError
from livekit.agents.stt import STTError
from livekit.agents.tts import TTSError
from livekit.agents.voice import SpeechHandle

from worker.background import Background
from worker.voice.agent import BUSY_STATES, TO_THE_EAR_S
from worker.voice.clips import load_clip
from worker.voice.outages import Outages
from worker.voice.parts import Member
from worker.voice.settings import ProviderSettings, Stage
from worker.voice.trouble import LASTING, Kind, Observer, Trouble, kind_of, was_left_alone
from worker.voice.wishes import Wishes

logger = logging.getLogger(__name__)

#: One turn can fail several times: it is thought about before it is certain that it is over.
_ONE_TURN_S = 2.0
#: Nobody wants to hear it more often.
_APOLOGY_GAP_S = 8.0
#: How long the last words may take, when the user may not even listen any more.
_LAST_WORDS_S = 30.0
#: Stands in records for all models of a stage.
ALL = "all"

_STAGES = {
    "stt_error": Stage.HEARING,
    "llm_error": Stage.THINKING,
    "tts_error": Stage.SPEAKING,
}

Failure = LLMError | STTError | TTSError | RealtimeModelError


class Care:
    """Watches over one conversation. `on_broken` is told when it cannot go on."""

    def __init__(
        self,
        session: AgentSession[Wishes],
        on_broken: Callable[[CloseEvent], None],
        *,
        settings: ProviderSettings,
        outages: Outages,
        members: tuple[Member, ...],
    ) -> None:
        self._settings = settings
        self._session = session
        self._outages = outages
        self._members = members
        self._on_broken = on_broken
        self._observers: list[Observer] = []
        self._failures: dict[Stage, int] = {}
        self._counted_at: dict[Stage, float] = {}
        self._apologised_at = float("-inf")
        self._saying: SpeechHandle | None = None
        self._background = Background(logger, "care failed")

    def observe(self, observer: Observer) -> None:
        """Have somebody told of each trouble from now on."""
        self._observers.append(observer)

    def start(self) -> None:
        """Watch from now on; needs the event loop of the job."""
        for member in self._members:
            member.model.on("error", partial(self._on_failure, member))
            member.model.on("metrics_collected", partial(self._on_answer, member))
        self._session.on("error", self._on_error)
        self._session.on("conversation_item_added", self._on_item)
        self._outages.watch(
            {
                one.fingerprint: f"{one.stage} {one.label}"
                for one in self._members
                if one.has_substitute
            }
        )

    async def aclose(self) -> None:
        """Stop apologising."""
        await self._background.aclose()

    def _on_failure(self, member: Member, error: LLMError | STTError | TTSError) -> None:
        """Note that one model failed; another may step in, or it is asked again."""
        if was_left_alone(error.error):
            return
        kind = kind_of(error.error)
        is_recoverable = error.recoverable or member.has_substitute
        self._tell(
            Trouble(
                stage=member.stage, provider=member.label, kind=kind, recoverable=is_recoverable
            )
        )
        if member.has_substitute and kind in LASTING and not error.recoverable:
            self._outages.report_failure(member.fingerprint)

    def _on_answer(self, member: Member, measured: metrics.AgentMetrics) -> None:
        """Note that a model works: the user need not have heard it, it may have been a trial."""
        if not _has_answered(measured):
            return
        self._failures.pop(member.stage, None)
        if member.has_substitute:
            self._outages.report_success(member.fingerprint)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        """Note that one model that does all has answered; apologies are no such items."""
        if isinstance(event.item, ChatMessage) and event.item.role == "assistant":
            self._failures.pop(Stage.REALTIME, None)

    def _on_error(self, event: ErrorEvent) -> None:
        """Note that a whole stage failed, so that an answer is missing."""
        error = event.error
        if isinstance(error, RealtimeModelError):
            self._on_realtime_error(error)
        elif isinstance(error, LLMError | STTError | TTSError) and not error.recoverable:
            self._on_failed_stage(_STAGES[error.type], error)

    def _on_realtime_error(self, error: RealtimeModelError) -> None:
        """Apologise for an answer that is lost; the framework ends what cannot go on."""
        label = self._settings.endpoints(Stage.REALTIME)[0].label
        kind = kind_of(error.error)
        self._tell(
            Trouble(stage=Stage.REALTIME, provider=label, kind=kind, recoverable=error.recoverable)
        )
        if not error.recoverable:
            # The framework closes the conversation, stumbles over the connection that failed, and
            # tells nobody (1.8.9).
            self._on_broken(CloseEvent(reason=CloseReason.ERROR, error=error))
        elif kind is Kind.BROKEN or self._session.agent_state in BUSY_STATES:
            # The provider failed at a response, or the connection that it was coming over.
            self._count(Stage.REALTIME, error)

    def _on_failed_stage(self, stage: Stage, error: LLMError | STTError | TTSError) -> None:
        if any(one.stage is stage and one.has_substitute for one in self._members):
            # Else the only model has told of it already.
            kind = kind_of(error.error)
            self._tell(Trouble(stage=stage, provider=ALL, kind=kind, recoverable=False))
        self._count(stage, error)

    def _count(self, stage: Stage, error: Failure) -> None:
        """See to an answer that is lost, once for each turn."""
        now = time.monotonic()
        if now - self._counted_at.get(stage, float("-inf")) < _ONE_TURN_S:
            return
        self._counted_at[stage] = now
        self._failures[stage] = self._failures.get(stage, 0) + 1
        self._background.go(self._answer_for(stage, error))

    async def _answer_for(self, stage: Stage, error: Failure) -> None:
        """Apologise; end the call where the stage failed too often, and fails still."""
        is_last = self._is_given_up(stage)
        if is_last or time.monotonic() - self._apologised_at >= _APOLOGY_GAP_S:
            # A conversation that closes says nothing more.
            with suppress(RuntimeError):
                await self._apologise(stage, can_be_interrupted=not is_last)
        if not is_last:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                if self._saying is not None:
                    await self._saying.wait_for_playout()
                    await asyncio.sleep(TO_THE_EAR_S)
        if self._is_given_up(stage):
            logger.error("a stage failed too often", extra={"stage": stage})
            self._on_broken(CloseEvent(reason=CloseReason.ERROR, error=error))

    def _is_given_up(self, stage: Stage) -> bool:
        return self._failures.get(stage, 0) >= self._settings.failed_turns_limit

    async def _apologise(self, stage: Stage, *, can_be_interrupted: bool) -> None:
        if self._saying is not None and not self._saying.done():
            return
        self._apologised_at = time.monotonic()
        text = self._settings.apology
        clip = await asyncio.to_thread(load_clip, self._settings, text)
        # It is no part of what the model has said: it would go on apologising.
        if clip is not None:
            self._saying = self._session.say(
                text,
                audio=clip.frames(),
                allow_interruptions=can_be_interrupted,
                add_to_chat_ctx=False,
            )
        elif text and Stage.SPEAKING not in {stage, *self._failures}:
            self._saying = self._session.say(
                text, allow_interruptions=can_be_interrupted, add_to_chat_ctx=False
            )

    def _tell(self, trouble: Trouble) -> None:
        logger.warning(
            "provider trouble",
            extra={
                "stage": trouble.stage,
                "provider": trouble.provider,
                "kind": trouble.kind,
                "recoverable": trouble.recoverable,
            },
        )
        for observer in self._observers:
            observer(trouble)


def _has_answered(measured: metrics.AgentMetrics) -> bool:
    """Say whether anything came; an answer that the user cut off is measured, too."""
    match measured:
        case metrics.LLMMetrics():
            return measured.ttft >= 0
        case metrics.TTSMetrics():
            return measured.ttfb >= 0
        case _:
            return True
