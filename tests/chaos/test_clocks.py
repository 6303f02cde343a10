"""Clocks are set while calls go on."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx2
import pytest

from tests.chaos.clocks import Clocks
from tests.chaos.parts import Part
from tests.chaos.services import Differences
from tests.chaos.stage import Stage, standing_stage
from tests.chaos.story import Story
from tests.support.plain import NO_TLS
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(240)

_HEARD_WITHIN_S = 40.0
_SEEN_WITHIN_S = 30.0
_HOUR_S = 3600
_MINUTE_S = 60


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Clocks:
    return Clocks(tmp_path_factory.mktemp("clocks"))


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, clocks: Clocks, kind: Mapping[str, str]
) -> Iterator[Stage]:
    """A fleet each of whose processes has a clock of its own."""
    folder = tmp_path_factory.mktemp("stage")
    with standing_stage(folder, Differences(clocks=clocks, of_workers=kind)) as stage:
        yield stage


@pytest.mark.parametrize("ahead_s", [_HOUR_S, -_HOUR_S], ids=["ahead", "behind"])
async def test_set(story: Story, clocks: Clocks, ahead_s: int) -> None:
    """1. Three users talk. 2. The clocks of a worker, and of the token server that leads, are set:
    LiveKit takes nothing any more that this one signs. 3. An agent is killed; somebody starts.
    4. The clocks are set right.

    Result: the server says that it is not ready, and another one leads, which sends an agent.
    Nobody else's call is touched, whoever starts is served. Afterwards the server is ready again.
    """
    users = await story.users_of_all_workers(3)
    hit, spared = await story.parted(users)
    user = users[0]
    leader, worker = await story.leader(), await story.worker_of(user)
    story.expect_loss(hit)
    with clocks.ahead([leader.name, worker.name], ahead_s):
        await asyncio.gather(*(_until_ahead(part, ahead_s) for part in (leader, worker)))
        await _until(leader, HTTPStatus.SERVICE_UNAVAILABLE)
        lost_at = time.monotonic()
        story.signal(hit[user], signal.SIGKILL)
        heard = await story.heard_again(hit, lost_at, _HEARD_WITHIN_S)
        how = "ahead" if ahead_s > 0 else "behind"
        story.tell(f"clocks an hour {how}, agent killed", heard)
        assert await story.leader() is not leader
        await story.users(1)
    await _until(leader, HTTPStatus.OK)
    for one in hit:
        await story.alone(one)
    await story.not_touched(spared)


async def _ask(part: Part, path: str) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=5, verify=NO_TLS) as http:
        return await http.get(f"{part.url}{path}")


async def _until_ahead(part: Part, ahead_s: float) -> None:
    """Wait until a process dates its answers by a clock that is so far ahead."""

    async def is_ahead() -> bool:
        said = parsedate_to_datetime((await _ask(part, "/healthz")).headers["date"])
        return abs((said - datetime.now(UTC)).total_seconds() - ahead_s) < _MINUTE_S

    await eventually(is_ahead, _SEEN_WITHIN_S, message=f"the clock of {part.name} is set")


async def _until(part: Part, status: HTTPStatus) -> None:
    """Wait until a process says that it is ready, or that it is not."""

    async def says() -> bool:
        return (await _ask(part, "/readyz")).status_code == status

    await eventually(says, _SEEN_WITHIN_S, message=f"{part.name}: {status}")
