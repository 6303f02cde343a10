"""Those who are held while others come and go: some talk all the time, the rest say nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from bench.race.asking import Answers, keep_asking
from bench.race.guest import PATIENCE_S, Guest
from bench.race.scene import Racer, Scene, Visit, until_at
from devstack.talk.audio import Sound
from devstack.talk.caller import Caller, CallerError

EVERY_S = 1.5


class Talker:
    """A user with a microphone, until the room is closed."""

    def __init__(self, scene: Scene, visit: Visit) -> None:
        self._scene, self._visit = scene, visit
        self._stack = AsyncExitStack()
        self._caller: Caller | None = None
        self.answers = Answers()
        #: Why nobody greeted; nothing where somebody did.
        self.what_failed = ""

    async def come(self) -> None:
        """Open the room, join it, and wait for the greeting. Raises ClientError or TwirpError."""
        self._stack.push_async_callback(self._scene.close, self._visit)
        await self._scene.open(self._visit)
        try:
            caller = await self._stack.enter_async_context(self._scene.caller(self._visit))
            await caller.wait_greeting(PATIENCE_S)
        except CallerError as error:
            self.what_failed = str(error)
        else:
            self._caller = caller

    @property
    def has_agent(self) -> bool:
        """Whether the agent that greeted is there, and so is the user."""
        is_in = self._caller is not None and self._caller.log.ended_because is None
        return is_in and self._scene.hook.of(self._visit.room).has_agent

    async def talk(self, sentences: Sequence[Sound], ends_at: float) -> None:
        """Ask until a moment of `time.monotonic`; nothing where nobody greeted."""
        if self._caller is not None:
            await keep_asking(self._caller, sentences, ends_at, self.answers)

    async def leave(self) -> None:
        """Leave, and close the room. Raises TimeoutError, aiohttp.ClientError or TwirpError."""
        await self._stack.aclose()


Held = Guest | Talker


async def fill(racer: Racer, held: list[Held], *, users: int, talkers: int) -> list[BaseException]:
    """Have them come, the talkers first; return errors, once all have or have not come.

    Each comes once: who has no agent then has none, and knows what failed. They are put into `held`
    before they come.
    """
    coming: list[asyncio.Task[None]] = []
    due_at = time.monotonic()
    try:
        for number in range(users):
            await until_at(due_at)
            due_at += EVERY_S
            kind = Talker if number < talkers else Guest
            user = kind(racer.scene, await racer.prepare())
            held.append(user)
            coming.append(asyncio.create_task(user.come(), name="held user comes"))
    finally:
        came = await asyncio.gather(*coming, return_exceptions=True)
    racer.calls += sum(one.has_agent for one in held)
    await racer.until_warm()
    return [one for one in came if one is not None]
