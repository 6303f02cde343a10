"""How long one call goes on: in silence, and at all.

A user who says nothing for a while is asked once, and then left. A call that has lasted long enough
is ended, after a warning. Both with words: whoever is listening shall know why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from livekit.agents import UserStateChangedEvent

from worker.call.conversation import Conversation
from worker.call.outcome import TIME_LIMIT, USER_AWAY, Outcome
from worker.personas.cast import Role

logger = logging.getLogger(__name__)


class Limits:
    """The limits of one call; `conclude` is told when one is reached."""

    def __init__(
        self, conversation: Conversation, role: Role, conclude: Callable[[Outcome], None]
    ) -> None:
        self._conversation = conversation
        self._persona = role.persona
        self._settings = role.settings
        self._conclude = conclude
        self._silence: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Look out for a user who says nothing any more."""
        self._conversation.session.on("user_state_changed", self._on_user_state)

    async def keep_time(self, lasted_s: float) -> None:
        """End the call when its time is up, `lasted_s` of which is over."""
        most_s, warning_s = self._settings.max_call_s, self._settings.call_warning_s
        if not most_s:
            return
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + most_s - lasted_s
        if warning_s and (to_warning_s := most_s - lasted_s - warning_s) > 0:
            await asyncio.sleep(to_warning_s)
            logger.info("time is nearly up", extra={"left_s": warning_s})
            self._conversation.say(self._persona.time_warning)
        await asyncio.sleep(max(0.0, ends_at - loop.time()))
        await self._end(TIME_LIMIT)

    def forget_silence(self) -> None:
        """Do not end the call for the silence there was."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _on_user_state(self, event: UserStateChangedEvent) -> None:
        self.forget_silence()
        if event.new_state == "away":
            self._silence = asyncio.create_task(self._ask())
            self._silence.add_done_callback(_report)

    async def _ask(self) -> None:
        """Ask whether the user is still there; a sign of life cancels this."""
        logger.info("user is silent")
        await self._conversation.say_to_the_end(self._persona.away)
        await asyncio.sleep(self._settings.user_away_after_s)
        await self._end(USER_AWAY)

    async def _end(self, outcome: Outcome) -> None:
        await self._conversation.take_leave(self._persona.goodbye)
        self._conclude(outcome)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("call task failed", exc_info=error)
