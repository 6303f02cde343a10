"""A call as a user makes it: start over HTTP, join over WebRTC, talk, stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from devstack.talk.caller import Answer, Caller
from tests.support.plain import NO_TLS
from tests.support.servers import RunningStack
from tests.support.speech import speak, transcribe, words
from tests.support.wait import eventually

#: Generous: the machine that runs the tests may be busy with something else.
GREETING_S = 60.0
ANSWER_S = 90.0
_REPEATS = 2


@dataclass(frozen=True, kw_only=True)
class Call:
    """A user in a room with an agent that has said hello."""

    stack: RunningStack
    http: httpx2.AsyncClient
    session: dict[str, Any]
    caller: Caller
    greeting: Answer
    #: Questions that had to be asked again.
    repeated: list[str] = field(default_factory=list)

    async def ask(self, question: str, *expected: str) -> list[str]:
        """Speak a question; return the words of the answer, as heard by Whisper.

        Small models mishear a word now and then, above all on a busy machine. As a person would,
        ask again when the answer has nothing of what is expected, twice at most. One of several
        that will do is written `one|other`.
        """
        sound = await speak(self.stack.localvoice_url, question)
        heard: list[str] = []
        for attempt in range(1 + _REPEATS):
            if attempt:
                self.repeated.append(question)
            await self.caller.say(sound)
            answer = await self.caller.wait_answer(ANSWER_S)
            heard = words(await transcribe(self.stack.localvoice_url, answer.sound))
            text = "".join(heard)
            if all(any(word in text for word in one.split("|")) for one in expected):
                break
        return heard

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to become true of the call."""

        async def asked() -> bool:
            return condition()

        await eventually(asked, ANSWER_S)

    async def look(self) -> dict[str, Any]:
        """Return the session as the API shows it to its owner."""
        secret = self.session["sessionSecret"]
        answer = await self.http.get(
            f"/api/session/{self.session['sessionId']}",
            headers={"Authorization": f"Bearer {secret}"},
        )
        answer.raise_for_status()
        view: dict[str, Any] = answer.json()
        return view

    async def until_status(self, status: str) -> dict[str, Any]:
        """Wait until the session is in a state; return it."""

        async def seen() -> dict[str, Any] | None:
            view = await self.look()
            return view if view["status"] == status else None

        # The API lets nobody ask all the time.
        view = await eventually(seen, ANSWER_S, interval_s=0.5)
        assert view is not None
        return view


@asynccontextmanager
async def call(stack: RunningStack) -> AsyncIterator[Call]:
    """Start a session, join its room, wait for the greeting; stop it at the end."""
    async with httpx2.AsyncClient(base_url=stack.api_url, timeout=30, verify=NO_TLS) as http:
        started = await http.post("/api/session/start")
        assert started.status_code == 201, started.text
        session = started.json()
        try:
            async with Caller(session["serverUrl"], session["participantToken"]) as caller:
                greeting = await caller.wait_greeting(GREETING_S)
                yield Call(
                    stack=stack, http=http, session=session, caller=caller, greeting=greeting
                )
        finally:
            await http.post(
                "/api/session/stop",
                json={
                    "sessionId": session["sessionId"],
                    "sessionSecret": session["sessionSecret"],
                },
            )
