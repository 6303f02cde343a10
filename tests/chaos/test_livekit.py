"""LiveKit is restarted, or its server API fails."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import replace

import pytest

from sessions.states import State
from tests.chaos.fates import Fate, Heard
from tests.chaos.story import Story, agent_of
from tests.chaos.users import User, Visitor
from tests.support.fault_proxy import Fault
from voicefleet_client import ApiError

pytestmark = pytest.mark.timeout(240)

_RECOVERED_WITHIN_S = 60.0
_HEARD_WITHIN_S = 40.0
_TROUBLE_S = 8.0
_PATIENCE_S = 1.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_restarted(
    story: Story, number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    """1. Three users talk. 2. livekit-server is killed; or it is asked to stop first, which it
    would only do when the last call is over. 3. It is started again.

    Result: within a minute each user talks with an agent again, or the session has ended with a
    reason; new users are served.
    """
    users = await story.users(3)
    story.watcher.expect_losses()
    story.watcher.limits.recovering_s = _RECOVERED_WITHIN_S
    gone_at, back_at = await story.stage.restart_livekit(number)
    waits = (_heard_or_over(story, user, gone_at, back_at) for user in users)
    story.tell(f"LiveKit {request.node.callspec.id}", await asyncio.gather(*waits))
    await story.users(1)


@pytest.mark.parametrize("fault", [Fault.BLACK_HOLE, Fault.RESET, Fault.REFUSE], ids=str)
async def test_api_fails(story: Story, fault: Fault) -> None:
    """1. Three users talk. 2. For a while the token servers cannot reach LiveKit. 3. An agent is
    killed meanwhile.

    Result: who starts meanwhile is told to come again; the calls are not touched, but for the one
    that lost its agent: it hears another one once LiveKit is back.
    """
    users = await story.users(3)
    hit, spared = await story.parted(users)
    story.expect_loss(hit)
    began_at = time.monotonic()
    await story.stage.servers_livekit.switch(fault)
    lost_at = time.monotonic()
    story.signal(hit[users[0]], signal.SIGKILL)
    await _refused(story)
    await asyncio.sleep(max(0.0, began_at + _TROUBLE_S - time.monotonic()))
    await story.stage.servers_livekit.switch(Fault.PASS)
    heard = await story.heard_again(hit, lost_at, _HEARD_WITHIN_S)
    story.tell(f"LiveKit's API: {fault}, agent killed", heard)
    for user in hit:
        await story.alone(user)
    await story.not_touched(spared)
    await story.users(1)


async def _heard_or_over(story: Story, user: User, gone_at: float, back_at: float) -> Heard:
    """Return what a user heard once LiveKit was back, and how long after it had gone.

    Or how the session ended. What was heard before was still on its way when LiveKit went.
    """
    heard = await user.heard_after(back_at, _RECOVERED_WITHIN_S)
    if heard.after_s is not None:
        return replace(heard, after_s=heard.after_s + back_at - gone_at)
    if heard.fate is not Fate.LOST:
        return heard
    session = await story.until(
        user, State.ENDING, State.ENDED, State.FAILED, deadline_s=_RECOVERED_WITHIN_S
    )
    assert session.reason or session.error, agent_of(session)
    why = session.error or session.reason
    return Heard(after_s=None, status="failed", message=why, room_closed=heard.room_closed)


async def _refused(story: Story) -> None:
    visitor = Visitor(story.front)
    with pytest.raises(ApiError) as refusal:
        await visitor.start(deadline_s=_PATIENCE_S)
    assert refusal.value.status == 503
