"""One conversation with a running stack, as `make ask` holds it: start, join, ask, stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx2

from devstack.errors import DevstackError
from devstack.talk.audio import Sound
from devstack.talk.caller import Answer, CallEnded, Caller, CallerError
from devstack.talk.transcript import Line

_SPEECH_RATE = 24_000  # of the `pcm` response format
_HTTP_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 5.0
_RECORDED_WITHIN_S = 5.0
"""How long after the end of a call its session may still say that it goes on."""
_RECORDED_POLL_S = 0.1
_OVER = frozenset({"ended", "failed", "expired"})


class TalkFailed(DevstackError):
    """Raised when the stack refuses a session or does not answer at all."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, spoken; `text` is None for a recording."""

    sound: Sound
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Talk:
    """How a conversation went. Seconds are counted from the request for a session."""

    session_id: str
    is_prewarmed: bool
    start_s: float
    agent_joined_s: float
    first_audio_s: float
    greeting: Answer
    answers: Sequence[Answer]
    heard: Sequence[str]


class Stack:
    """A running stack, as its description (`stack.json`) says.

    `is_session_stopped` and `stop_problem` tell what became of the last session.
    """

    def __init__(self, description: Mapping[str, object]) -> None:
        self._api = str(description["apiUrl"])
        self._voice = str(description["localvoiceUrl"])
        key = description.get("localvoiceKey")
        self._voice_headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.is_session_stopped = False
        self.stop_problem: str | None = None

    async def speak(self, text: str) -> Question:
        """Have a question spoken. Raises `TalkFailed`."""
        async with httpx2.AsyncClient(
            base_url=self._voice, timeout=_HTTP_TIMEOUT_S, headers=self._voice_headers
        ) as http:
            body = {"model": "piper", "voice": "joe", "input": text, "response_format": "pcm"}
            answer = await _post(http, "/v1/audio/speech", body)
        return Question(sound=Sound.from_pcm(answer.content, _SPEECH_RATE), text=text)

    async def talk(
        self,
        questions: Sequence[Question],
        *,
        deadline_s: float,
        on_line: Callable[[Line, float], None] | None = None,
    ) -> Talk:
        """Hold a conversation. Raises `TalkFailed` or a `CallerError`.

        `on_line` is told each change of the transcript, and when it came.
        """
        began = time.monotonic()

        def tell(line: Line) -> None:
            if on_line is not None:
                on_line(line, line.updated_at - began)

        async with self._session() as session, self._explained(session):
            start_s = time.monotonic() - began
            url, token = str(session["serverUrl"]), str(session["participantToken"])
            async with Caller(url, token, on_line=tell) as caller:
                greeting = await caller.wait_greeting(deadline_s)
                answers = []
                for question in questions:
                    await caller.say(question.sound)
                    answers.append(await caller.wait_answer(deadline_s))
                moments = caller.log.moments
                return Talk(
                    session_id=str(session["sessionId"]),
                    is_prewarmed=await self._was_prewarmed(session),
                    start_s=start_s,
                    agent_joined_s=(moments.agent_joined_at or began) - began,
                    first_audio_s=(moments.first_audio_at or began) - began,
                    greeting=greeting,
                    answers=answers,
                    heard=[line.text for line in caller.lines if line.speaker == "user"],
                )

    async def _was_prewarmed(self, session: Mapping[str, object]) -> bool:
        """Ask whether the agent's process was warm: known once it has taken the session."""
        return bool((await self._look(session)).get("prewarmed"))

    async def _look(self, session: Mapping[str, object]) -> dict[str, object]:
        """Return the session as its owner sees it; nothing when it cannot be seen."""
        path = f"/api/session/{session['sessionId']}"
        try:
            async with httpx2.AsyncClient(base_url=self._api, timeout=_HTTP_TIMEOUT_S) as http:
                answer = await http.get(path, headers=_proof(session))
            view = answer.json() if answer.is_success else {}
        except (httpx2.HTTPError, ValueError):
            return {}
        return view if isinstance(view, dict) else {}

    @asynccontextmanager
    async def _explained(self, session: Mapping[str, object]) -> AsyncIterator[None]:
        """Add what the session says to an error of the call."""
        try:
            yield
        except CallerError as error:
            view = await self._look(session)
            ends_at = time.monotonic() + _RECORDED_WITHIN_S
            while (
                isinstance(error, CallEnded)
                and view.get("status") not in _OVER
                and time.monotonic() < ends_at
            ):
                await asyncio.sleep(_RECORDED_POLL_S)
                view = await self._look(session)
            status, message = view.get("status", "unknown"), view.get("message") or ""
            raise type(error)(
                f"{error}. Session {session['sessionId']} is {status}: {message} "
                "`make status` shows the services and the worker's log, which may tell more."
            ) from error

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Mapping[str, object]]:
        """Start a session, and stop it whatever happens.

        A session that cannot be stopped is an error only when there is no other one.
        """
        self.is_session_stopped, self.stop_problem = False, None
        async with httpx2.AsyncClient(base_url=self._api, timeout=_HTTP_TIMEOUT_S) as http:
            session: dict[str, object] = (await _post(http, "/api/session/start", {})).json()
            if "participantToken" not in session:
                raise TalkFailed(f"no session: {session.get('message') or session.get('status')}")
            try:
                yield session
            except BaseException:
                with suppress(TalkFailed):
                    await self._stop(http, session)
                raise
            await self._stop(http, session)

    async def _stop(self, http: httpx2.AsyncClient, session: Mapping[str, object]) -> None:
        try:
            answer = await http.post(
                "/api/session/stop",
                json={"sessionId": session["sessionId"]},
                headers=_proof(session),
                timeout=_STOP_TIMEOUT_S,
            )
            answer.raise_for_status()
        except httpx2.HTTPError as error:
            # The session ends by itself, since its user has left.
            self.stop_problem = f"the session could not be stopped: {_describe(error)}"
            raise TalkFailed(self.stop_problem) from error
        self.is_session_stopped = True


def _proof(session: Mapping[str, object]) -> dict[str, str]:
    """Return the header that proves that a session is ours."""
    return {"Authorization": f"Bearer {session['sessionSecret']}"}


async def _post(http: httpx2.AsyncClient, path: str, body: Mapping[str, object]) -> httpx2.Response:
    """Post, or raise `TalkFailed` with the reason that the service gave."""
    try:
        answer = await http.post(path, json=body)
    except httpx2.HTTPError as error:
        raise TalkFailed(
            f"{http.base_url} does not answer ({_describe(error)}): see `make status`"
        ) from error
    if answer.is_error:
        raise TalkFailed(_refusal(answer))
    return answer


def _refusal(answer: httpx2.Response) -> str:
    """Return what an error response says, in both shapes that our services use."""
    try:
        error = answer.json()["error"]
        text = f"{error['message']} ({error.get('code') or answer.status_code})"
        if error.get("retryAfter"):
            text += f", try again in {error['retryAfter']} s"
    except (ValueError, KeyError, TypeError):
        return f"{answer.url.path} answered {answer.status_code}"
    return text


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__
