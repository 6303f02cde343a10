"""Hanging up."""

from __future__ import annotations

import asyncio

from livekit.agents import RunContext
from livekit.agents.voice import SpeechHandle

from worker.voice.agent import TO_THE_EAR_S
from worker.voice.wishes import Wishes


async def end_call(context: RunContext[Wishes]) -> str:
    """End the call. Use it when the user says goodbye or asks to hang up, and only then."""

    def hang_up() -> None:
        context.userdata.hang_up = True
        context.session.shutdown(drain=True)

    def hang_up_soon(_: SpeechHandle) -> None:
        asyncio.get_running_loop().call_later(TO_THE_EAR_S, hang_up)

    # The goodbye that follows belongs to the same speech: when that has been played, or has been
    # interrupted, or could not be made, the call is over.
    context.speech_handle.add_done_callback(hang_up_soon)
    return "The call ends after your next sentence. Say a short goodbye and nothing else."
