"""What must hold when all users have left and everything runs: I8, I11, I12, and the end of I2."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence

import httpx2

from sessions.ids import SessionId
from sessions.model import Session
from sessions.states import HOLDING, LIVE, TERMINAL, State
from tests.chaos.halls import Halls
from tests.chaos.sights import Eye, Finding
from tests.support.plain import NO_TLS

_SEEN_TO_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.25


async def nothing_is_left(eye: Eye, halls: Halls) -> AsyncIterator[Finding]:
    """I11: no slot, no ticket, no room, no job, and no key that would stay."""
    now = await eye.look()
    picture = now.picture
    for name in ("slots", "tickets", "dispatches", "suspects"):
        for id_ in getattr(picture, name):
            yield Finding(rule="I11", subject=id_, what=f"is left among the {name}")
    for state in (*LIVE, State.ENDING):
        for id_ in picture.indexes[state]:
            yield Finding(rule="I11", subject=id_, what=f"is left {state}")
    for room in await halls.names():
        yield Finding(rule="I11", subject=room, what="is left open")
    for worker in now.workers.values():
        if worker.active:
            yield Finding(rule="I11", subject=worker.id, what=f"has {worker.active} jobs left")
    for name in await _lasting(eye):
        yield Finding(rule="I11", subject=name, what="has no TTL")


async def all_came_to_an_end(eye: Eye, accepted: Iterable[SessionId]) -> AsyncIterator[Finding]:
    """I8, I2: whoever was let in has an end with a reason, and it is still the same."""
    ids = list(accepted)
    sessions = await eye.store.views.sessions(ids)
    for id_ in ids:
        session = sessions.get(id_)
        if session is None:
            yield Finding(rule="I8", subject=id_, what="was accepted, and nobody knows of it")
        elif session.status not in TERMINAL:
            yield Finding(rule="I8", subject=id_, what=f"is {session.status} still")
        elif session.status is State.FAILED and not session.error:
            yield Finding(rule="I8", subject=id_, what="failed, and does not say why")
    for id_, final in (await _now(eye)).items():
        if final != eye.finals[id_]:
            yield Finding(rule="I2", subject=id_, what="changed after it was over")


async def servers_say_the_same(eye: Eye, urls: Sequence[str]) -> AsyncIterator[Finding]:
    """I12: what token servers tell of the sessions is what Redis has."""
    counts = await eye.store.views.counts()
    there = {state.value: counts[state] for state in (State.QUEUED, *HOLDING)}
    async with httpx2.AsyncClient(timeout=10, verify=NO_TLS) as http:
        for url in urls:
            told = (await http.get(f"{url}/api/health")).json().get("sessions") or {}
            differing = {name: told.get(name) for name in there if told.get(name) != there[name]}
            if differing:
                what = f"says {differing}, and Redis {there}"
                yield Finding(rule="I12", subject=url, what=what)


async def _lasting(eye: Eye) -> list[str]:
    """Return the keys without a TTL; of those that are new, somebody sees to it within a second."""
    ends_at = time.monotonic() + _SEEN_TO_WITHIN_S
    while True:
        names = await eye.lasting_keys()
        if not names or time.monotonic() > ends_at:
            return names
        await asyncio.sleep(_LOOK_EVERY_S)


async def _now(eye: Eye) -> dict[SessionId, Session]:
    return await eye.store.views.sessions(list(eye.finals))
