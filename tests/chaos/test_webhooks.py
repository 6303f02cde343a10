"""LiveKit's webhooks get lost, come twice, or in another order."""

from __future__ import annotations

import asyncio
import time

import pytest

from sessions.ids import room_name
from sessions.states import State
from tests.chaos.story import Story
from tests.chaos.users import User
from tests.chaos.webhooks import Mail

pytestmark = pytest.mark.timeout(240)

_HEARD_WITHIN_S = 30.0
#: A room that is gone is missed for as long as its user may be away, and 10 s more.
_MISSED_WITHIN_S = 60.0


@pytest.mark.parametrize("mail", [Mail.DROP, Mail.DOUBLE], ids=str)
async def test_lost_or_doubled(story: Story, mail: Mail) -> None:
    """1. Webhooks get lost, or come twice. 2. Three users start, join, talk, and leave.

    Result: all is as with them: each was heard, each session has ended.
    """
    story.stage.webhooks.mail = mail
    users = await story.users(3)
    now_s = time.monotonic()
    heard = await asyncio.gather(*(user.heard_after(now_s, _HEARD_WITHIN_S) for user in users))
    story.tell(f"webhooks: {mail}", heard)
    await asyncio.gather(*(user.leave() for user in users))
    for user in users:
        await story.until(user, State.ENDED, deadline_s=_MISSED_WITHIN_S)


async def test_in_reverse(story: Story) -> None:
    """1. Webhooks are held back. 2. Users start, join, talk, and leave. 3. They come in reverse.

    Result: each session has ended once; nothing begins anew.
    """
    webhooks = story.stage.webhooks
    webhooks.mail = Mail.HOLD
    users = await story.users(2)
    now_s = time.monotonic()
    heard = await asyncio.gather(*(user.heard_after(now_s, _HEARD_WITHIN_S) for user in users))
    await asyncio.gather(*(user.stop() for user in users))
    await asyncio.gather(*(user.leave() for user in users))
    for user in users:
        await story.until(user, State.ENDED, deadline_s=_MISSED_WITHIN_S)
    webhooks.mail = Mail.PASS
    assert await story.stage.loop.apart(webhooks.release_here(is_reversed=True)) > 0
    story.tell("webhooks in reverse order", heard)
    for user in users:
        assert (await story.session(user)).status is State.ENDED


async def test_a_room_is_lost_and_so_is_its_webhook(story: Story) -> None:
    """1. Two users talk. 2. The room of one is closed behind everybody's back, and no webhook tells
    of it.

    Result: its session ends, with a reason; the other call is not touched.
    """
    users = await story.users(2)
    before = {user: await story.session(user) for user in users}
    gone, other = users
    story.stage.webhooks.mail = Mail.DROP
    await story.halls.close(room_name(gone.id))
    await _ended(story, gone)
    await story.not_touched({other: before[other]})


async def _ended(story: Story, user: User) -> None:
    session = await story.until(user, State.ENDED, deadline_s=_MISSED_WITHIN_S)
    assert session.reason, session
