"""LiveKit's load tests, `lk perf agent-load-test` and `lk perf load-test`, as operators run them.

What the tool does is done here with LiveKit's own SDK, step by step; where `lk` is installed it is
run itself, too.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from livekit import api

from devstack.talk.caller import Caller, JoinFailed
from sessions.model import Session
from sessions.states import LIVE, State
from tests.integration.worker.fleet import CALL_S, Fleet
from tests.integration.worker.test_adoption import Foreign
from tests.support.servers import LiveKitServer, neutral_environment
from tests.support.wait import eventually

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("nothing_before")]

#: As the tool calls its participant.
ECHO = "echo-participant"
ROOMS = 2
#: The client library gives up by itself before; it must not be interrupted.
JOIN_WITHIN_S = 240.0
LK_WITHIN_S = 120.0
needs_lk = pytest.mark.skipif(shutil.which("lk") is None, reason="LiveKit's CLI is not installed")


async def echo(room: Foreign) -> Session:
    """Do in a room what `lk perf agent-load-test` does; return the session once it is over."""
    async with room.join(ECHO) as participant:
        await room.send_agent()
        greeting = await participant.wait_greeting(CALL_S)
        session = await room.until(State.ACTIVE)
        assert (session.identity, session.user_id) == (ECHO, None)
        await participant.say(greeting.sound)
        assert (await participant.wait_answer(CALL_S)).text
    ended = await room.until(State.ENDED)
    await room.until_agentless()
    return ended


async def test_each_room_gets_an_agent_that_answers_its_echo(fleet: Fleet) -> None:
    """1. Somebody joins each room. 2. The agent is sent for, without metadata. 3. What it says is
    said to it after a while. 4. They leave.

    Result: a session in each, whose user is the echo, and which ends as other calls do.
    """
    await fleet.start_worker(POOL_SIZE=str(ROOMS))
    rooms = [Foreign(fleet, f"room-{number}-{secrets.token_hex(4)}") for number in range(ROOMS)]
    ended = await asyncio.gather(*(echo(room) for room in rooms))
    assert [(one.error, one.reason, one.epoch) for one in ended] == [(None, "user_left", 1)] * ROOMS
    for session in ended:
        roles = Counter(turn.role for turn in await fleet.store.conversations.of(session.id))
        assert roles["user"] >= 1
        assert roles["assistant"] >= 2


async def test_a_load_of_participants_needs_a_room_made_for_so_many(
    fleet: Fleet, livekit_server: LiveKitServer
) -> None:
    """As `lk perf load-test` with more than two participants.

    Result: a room that a join opens takes two, one that was created with room for more takes more;
    no agent comes to either.
    """
    opened, made = Foreign(fleet), Foreign(fleet)
    await fleet.livekit.room.create_room(
        api.CreateRoomRequest(name=made.room, max_participants=10, empty_timeout=60)
    )
    async with AsyncExitStack() as stack:
        for room, takes in ((opened, 2), (made, 4)):
            for number in range(takes):
                await stack.enter_async_context(_tester(livekit_server, room, number))
        with pytest.raises(JoinFailed):
            await stack.enter_async_context(_tester(livekit_server, opened, 2))
        assert await opened.agents() == await made.agents() == []
        for room in (opened, made):
            await fleet.livekit.room.delete_room(api.DeleteRoomRequest(room=room.room))


def _tester(server: LiveKitServer, room: Foreign, number: int) -> Caller:
    return Caller(server.url, room.token(f"load_{number}"), join_within_s=JOIN_WITHIN_S)


async def run_lk(fleet: Fleet, home: Path, *arguments: str) -> str:
    """Run `lk perf …`; return what it printed. Raises TimeoutError."""
    server = fleet.server
    told = {
        "HOME": str(home),
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    process = await asyncio.create_subprocess_exec(
        *("lk", "perf", *arguments),
        cwd=home,
        env=neutral_environment() | told,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(LK_WITHIN_S):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = printed.decode(errors="replace")
    assert process.returncode == 0, text
    return text


@needs_lk
async def test_the_cli_itself_gets_an_agent_in_each_of_its_rooms(
    fleet: Fleet, tmp_path: Path
) -> None:
    await fleet.start_worker(POOL_SIZE=str(ROOMS))
    name, rooms = fleet.agent_name, str(ROOMS)
    arguments = ("agent-load-test", "--rooms", rooms, "--agent-name", name, "--duration", "20s")
    printed = await run_lk(fleet, tmp_path, *arguments, "--echo-speech-delay", "1s")

    async def of_echo(*states: State) -> list[Session]:
        pages = [await fleet.store.views.by_state(state, limit=100) for state in states]
        return [one for page in pages for one in page.sessions if one.identity == ECHO]

    async def are_over() -> bool:
        return len(await of_echo(State.ENDED)) == ROOMS

    await eventually(are_over, CALL_S, message=printed)
    assert await of_echo(*LIVE, State.FAILED) == []
    assert all((one.foreign_room or "") in printed for one in await of_echo(State.ENDED))


@needs_lk
async def test_the_cli_itself_can_load_livekit(fleet: Fleet, tmp_path: Path) -> None:
    room = f"load-{secrets.token_hex(4)}"
    request = api.CreateRoomRequest(name=room, max_participants=10, empty_timeout=60)
    await fleet.livekit.room.create_room(request)
    size = ("--audio-publishers", "2", "--subscribers", "3", "--duration", "5s")
    printed = await run_lk(fleet, tmp_path, "load-test", "--room", room, *size)
    assert "Subscriber summaries" in printed
    assert "could not connect" not in printed
