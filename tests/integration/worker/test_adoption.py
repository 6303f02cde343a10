"""Agents that somebody else has sent for, without metadata: as LiveKit's own tools do."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livekit import api

from devstack.talk.caller import Caller
from sessions.ids import new_session_id, room_name
from sessions.model import Session
from sessions.states import LIVE, State
from sessions.store import SessionStore
from tests.integration.worker.api import serving_api
from tests.integration.worker.fleet import CALL_S, Fleet, WorkerProcess
from tests.integration.worker.test_drain import said, sending_agents
from tests.support.provider import Provider
from tests.support.wait import eventually

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("nothing_before")]


@pytest.fixture(scope="module")
def localvoice_url() -> str:
    """No speech models: each worker is told of the provider of its test."""
    return "http://127.0.0.1:1"


@pytest.fixture
async def worker(fleet: Fleet, provider: Provider) -> WorkerProcess:
    provider.reply = "I see."
    return await fleet.start_worker(OPENAI_BASE_URL=provider.url, MAX_SESSIONS="1", POOL_SIZE="2")


class Foreign:
    """A room that somebody else made, and those in it."""

    def __init__(self, fleet: Fleet, room: str | None = None) -> None:
        self._fleet = fleet
        self.room = room or f"demo-{secrets.token_hex(4)}"

    def token(self, identity: str, *, sends_agent: bool = False) -> str:
        server = self._fleet.server
        token = api.AccessToken(server.api_key, server.api_secret).with_identity(identity)
        token = token.with_grants(api.VideoGrants(room_join=True, room=self.room))
        if sends_agent:
            dispatch = api.RoomAgentDispatch(agent_name=self._fleet.agent_name)
            token = token.with_room_config(api.RoomConfiguration(agents=[dispatch]))
        return token.to_jwt()

    def join(self, identity: str, *, sends_agent: bool = False) -> Caller:
        return Caller(self._fleet.server.url, self.token(identity, sends_agent=sends_agent))

    async def send_agent(self, metadata: str = "") -> None:
        """As `lk dispatch create --room … --agent-name …` does."""
        request = api.CreateAgentDispatchRequest(
            room=self.room, agent_name=self._fleet.agent_name, metadata=metadata
        )
        await self._fleet.livekit.agent_dispatch.create_dispatch(request)

    async def agents(self) -> list[str]:
        request = api.ListParticipantsRequest(room=self.room)
        found = (await self._fleet.livekit.room.list_participants(request)).participants
        return [one.identity for one in found if one.kind == api.ParticipantInfo.Kind.AGENT]

    async def sessions(self, *states: State) -> list[Session]:
        """Return the sessions that take place here."""
        pages = [await self._fleet.store.views.by_state(state, limit=100) for state in states]
        return [one for page in pages for one in page.sessions if one.room == self.room]

    async def until(self, *states: State) -> Session:
        found = await eventually(lambda: self.sessions(*states), CALL_S, message=f"{states}")
        (session,) = found
        return session

    async def until_agentless(self) -> None:
        async def is_agentless() -> bool:
            return await self.agents() == []

        await eventually(is_agentless, CALL_S)


@pytest.fixture
async def foreign(fleet: Fleet, worker: WorkerProcess) -> AsyncIterator[Foreign]:
    del worker
    one = Foreign(fleet)
    yield one
    await fleet.livekit.room.delete_room(api.DeleteRoomRequest(room=one.room))


async def test_it_is_a_session_of_its_own_in_a_room_that_stays_somebody_elses(
    foreign: Foreign, worker: WorkerProcess, store: SessionStore
) -> None:
    """1. An agent is sent without metadata. 2. Somebody comes, then somebody else. 3. The first
    talks, and leaves.

    Result: a session for the first, with all its steps, which ends; the agent leaves; the room
    stays, and who else is in it.
    """
    await foreign.send_agent()
    ready = await foreign.until(State.READY)
    assert (ready.user_id, ready.identity, ready.foreign_room) == (None, "", foreign.room)
    assert ready.worker_id == (await worker.ask("/worker")).json()["id"]
    async with foreign.join("ada") as ada:
        await ada.wait_greeting(CALL_S)
        assert (await foreign.until(State.ACTIVE)).identity == "ada"
        async with foreign.join("bob") as bob:
            await ada.type("Hello?")
            await said(ada, "I see.")
            await ada.close()
            ended = await foreign.until(State.ENDED)
            await foreign.until_agentless()
            assert bob.log.ended_because is None
            assert ended.error is None
    assert (await store.get(ready.id)).status is State.ENDED


async def test_a_token_that_names_our_agent_is_enough(foreign: Foreign) -> None:
    async with foreign.join("ada", sends_agent=True) as ada:
        await ada.wait_greeting(CALL_S)
        assert (await foreign.until(State.ACTIVE)).identity == "ada"
    await foreign.until(State.ENDED)


async def test_an_operator_can_stop_it_and_the_room_stays(
    foreign: Foreign, fleet: Fleet, tmp_path: Path
) -> None:
    """Over HTTP. Result: the agent leaves; nobody else has to."""
    key = secrets.token_hex(16)
    await foreign.send_agent()
    variables = {"ADMIN_API_KEY": key, "MAX_SESSIONS": "1"}
    async with (
        serving_api(fleet, tmp_path / "tokenserver.log", variables) as http,
        foreign.join("ada") as ada,
    ):
        await ada.wait_greeting(CALL_S)
        session = await foreign.until(State.ACTIVE)
        answer = await http.post(
            f"/api/session/{session.id}/stop", headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 200, answer.text
        await foreign.until(State.ENDED)
        await foreign.until_agentless()
        assert ada.log.ended_because is None
        await ada.room.local_participant.publish_data(b"still here")


async def test_without_a_slot_no_agent_comes(foreign: Foreign, fleet: Fleet) -> None:
    """1. The only slot is taken. 2. An agent is sent without metadata. 3. The slot comes free.
    4. One is sent again.

    Result: the first time nobody comes, no session is left, and the room stays; then there is one.
    """
    taken = await fleet.start_call()
    await taken.until(State.READY)
    async with foreign.join("ada") as ada:
        await foreign.send_agent()
        await eventually(lambda: _has_left(fleet, "at_capacity"), CALL_S)
        assert await foreign.sessions(*State) == []
        assert ada.log.ended_because is None
        assert ada.log.moments.agent_joined_at is None
        await fleet.store.end(taken.session_id)
        await taken.until_room_is_closed()
        await foreign.send_agent()
        await ada.wait_greeting(CALL_S)


async def test_a_lost_agent_is_replaced_in_the_same_room_for_the_same_user(
    foreign: Foreign, fleet: Fleet, provider: Provider
) -> None:
    await foreign.send_agent()
    async with foreign.join("ada") as ada:
        await ada.wait_greeting(CALL_S)
        session = await foreign.until(State.ACTIVE)
        async with sending_agents(fleet):
            await fleet.store.lose(session.id, "gone", epoch=1, is_certain=True)

            async def is_replaced() -> bool:
                seen = await fleet.store.get(session.id)
                return (seen.status, seen.epoch) == (State.ACTIVE, 2)

            await eventually(is_replaced, CALL_S)

            async def is_alone() -> bool:
                return len(await foreign.agents()) == 1

            await eventually(is_alone, CALL_S)
            provider.reply = "The second one."
            await ada.type("Who are you?")
            await said(ada, "The second one.")
    assert (await foreign.until(State.ENDED)).id == session.id


async def test_a_session_that_is_stopped_makes_the_agent_leave_and_leaves_the_room(
    foreign: Foreign, fleet: Fleet
) -> None:
    await foreign.send_agent()
    async with foreign.join("ada") as ada:
        await ada.wait_greeting(CALL_S)
        session = await foreign.until(State.ACTIVE)
        await fleet.store.end(session.id)
        await foreign.until_agentless()
        assert ada.log.ended_because is None


async def test_what_is_not_ours_is_refused(
    foreign: Foreign, fleet: Fleet, worker: WorkerProcess
) -> None:
    """Metadata of somebody else's; our metadata for another room; a room of ours without any."""
    ours = Foreign(fleet, room_name(new_session_id()))
    await foreign.send_agent("hello")
    await foreign.send_agent(fleet.new_call().assignment().to_metadata())
    await ours.send_agent()

    async def are_refused() -> bool:
        return worker.log.read_text().count('"answer": "refuse"') == 3

    await eventually(are_refused, CALL_S)
    assert await foreign.agents() == await ours.agents() == []
    assert [one for state in LIVE for one in await foreign.sessions(state)] == []


async def test_it_can_be_switched_off(fleet: Fleet, provider: Provider) -> None:
    worker = await fleet.start_worker(OPENAI_BASE_URL=provider.url, ADOPT_DISPATCHES="false")
    await Foreign(fleet).send_agent()
    await eventually(lambda: worker.has_logged('"answer": "refuse"'), CALL_S)


async def _has_left(fleet: Fleet, code: str) -> bool:
    return any(f'"code": "{code}"' in log.read_text() for log in fleet.logs.glob("*.log"))
