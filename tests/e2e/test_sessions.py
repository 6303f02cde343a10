"""Sessions from outside: the standard token endpoint, users who leave, agents that die."""

from __future__ import annotations

import asyncio
import os
import signal

import httpx2
import pytest
from redis.asyncio import Redis

from devstack.talk.caller import Caller
from tests.e2e.calls import ANSWER_S, GREETING_S, call
from tests.support.plain import NO_TLS
from tests.support.servers import RunningStack
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(300)

#: A lease lasts 6 s, and LiveKit gives up a request to its Redis after 10 s.
OUTAGE_S = 15.0


async def test_a_standard_token_brings_an_agent_and_takes_a_slot_only_then(
    stack: RunningStack,
) -> None:
    async with httpx2.AsyncClient(base_url=stack.api_url, timeout=30, verify=NO_TLS) as http:
        before = await _taken(http)
        token = (await http.post("/api/token", json={})).json()
        assert await _taken(http) == before
        async with Caller(token["server_url"], token["participant_token"]) as caller:
            await caller.wait_greeting(GREETING_S)
            assert await _taken(http) == before + 1
            shown = await http.get(
                f"/api/session/{token['sessionId']}",
                headers={"Authorization": f"Bearer {token['sessionSecret']}"},
            )
            assert shown.json()["status"] == "active"
        await eventually(lambda: _has_taken(http, before), ANSWER_S)


async def test_a_user_who_leaves_ends_the_session(stack: RunningStack) -> None:
    async with call(stack) as user:
        await user.caller.close()
        await user.until_status("ended")


async def test_a_user_who_comes_back_talks_with_the_same_agent(stack: RunningStack) -> None:
    """1. The user leaves. 2. Joins again with a fresh token, within the grace.

    Result: the session was active all the time, LiveKit's webhooks or not; the agent answers.
    """
    async with call(stack) as user:
        await user.caller.close()
        proof = {name: user.session[name] for name in ("sessionId", "sessionSecret")}
        token = (await user.http.post("/api/token", json=proof)).json()
        assert (await user.look())["status"] == "active"
        async with Caller(token["serverUrl"], token["participantToken"]) as again:
            await again.wait_agent(ANSWER_S)
            await again.type("What is 30 plus 4?")

            async def is_answered() -> bool:
                return any("34" in line.text for line in again.lines if line.speaker == "agent")

            await eventually(is_answered, ANSWER_S)
            assert (await user.look())["status"] == "active"
        ended = await user.until_status("ended")
        assert ended["reason"] == "user_left"


async def test_stopping_puts_everybody_out(stack: RunningStack) -> None:
    async with call(stack) as user:
        await user.http.post(
            "/api/session/stop",
            json={"sessionId": user.session["sessionId"]},
            headers={"Authorization": f"Bearer {user.session['sessionSecret']}"},
        )
        assert await user.caller.wait_ended(ANSWER_S) == "ROOM_DELETED"


async def test_a_killed_agent_is_replaced_and_the_call_goes_on(stack: RunningStack) -> None:
    """1. The agent's process is killed in the middle of a call (SIGKILL): it can clean up nothing.

    Result: another agent comes, says that it is back, and answers; the user stays in the room.
    """
    async with call(stack) as user:
        session_id = user.session["sessionId"]
        killed = await _agent_pid(stack, session_id)
        os.kill(killed, signal.SIGKILL)
        await user.until(lambda: any("back" in line.text for line in user.caller.lines))
        assert await _agent_pid(stack, session_id) != killed
        assert (await user.until_status("active"))["success"]
        await user.caller.type("What is 20 plus four?")
        await user.until(lambda: any("24" in line.text for line in user.caller.lines[1:]))
        assert user.caller.log.ended_because is None


async def test_a_call_goes_on_while_redis_is_away(stack: RunningStack) -> None:
    """1. Redis is frozen (SIGSTOP) in the middle of a call. 2. The user asks something. 3. Redis
    stays away for longer than a lease, and for longer than LiveKit waits for anything, and returns.

    Result: the agent answers meanwhile, and the session lives on afterwards.
    """
    async with call(stack) as user:
        os.kill(stack.pids["redis"], signal.SIGSTOP)
        try:
            frozen = asyncio.create_task(asyncio.sleep(OUTAGE_S))
            assert "24" in await user.ask("What is 20 plus four?", "24")
            await frozen
        finally:
            os.kill(stack.pids["redis"], signal.SIGCONT)
        before = user.caller.hearing.last_loud_at
        assert "34" in await user.ask("What is 30 plus four?", "34")
        assert user.caller.hearing.last_loud_at != before
        assert (await user.until_status("active"))["success"]


async def _agent_pid(stack: RunningStack, session_id: str) -> int:
    async with Redis.from_url(stack.redis_url, decode_responses=True) as redis:
        pid = await redis.hget(f"{{vf}}:session:{session_id}", "agentPid")
    assert pid is not None
    return int(pid)


async def _taken(http: httpx2.AsyncClient) -> int:
    sessions = (await http.get("/api/health")).json()["sessions"]
    return int(sessions["starting"] + sessions["ready"] + sessions["active"])


async def _has_taken(http: httpx2.AsyncClient, number: int) -> bool:
    return await _taken(http) == number
