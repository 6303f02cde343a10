"""For operators: every session, the fleet, the pool, the workers."""

from __future__ import annotations

import logging
from http import HTTPStatus

from starlette.responses import Response

from sessions.errors import InvalidInput, WorkerNotFound
from sessions.ids import UserId, WorkerId
from sessions.model import Session
from sessions.states import LIVE, OVER, State
from supervisor.alerts import alerts_of
from supervisor.scale import scaling_of
from tokenserver.contract.answers import SessionPage, SessionRecord
from tokenserver.contract.fleet import FleetView, PoolResized, WorkerOrdered
from tokenserver.contract.history import FleetHistory, HistoryQuery, history_view
from tokenserver.contract.queries import SessionsQuery
from tokenserver.contract.requests import DrainRequest, ResizeRequest
from tokenserver.contract.views import fleet_view, pool_view, session_record
from tokenserver.http.answers import answer
from tokenserver.http.call import Call
from tokenserver.http.operation import handles

logger = logging.getLogger("tokenserver")

_GROUPS = {"live": LIVE, "over": OVER, "all": LIVE | OVER}


@handles(
    "List sessions",
    query=SessionsQuery,
    answers={HTTPStatus.OK: SessionPage},
    errors=(InvalidInput,),
)
async def list_sessions(call: Call) -> Response:
    """Return sessions state by state, each the newest first (those that wait: the oldest first).

    A page may be short, or empty, with more to come: go on as long as `next` is there.
    """
    asked = call.asked(SessionsQuery)
    states = _states(asked.state)
    first, cursor = _position(asked.after, states)
    found: list[Session] = []
    for place in range(states.index(first), len(states)):
        page = await call.state["store"].views.by_state(
            states[place],
            limit=asked.limit - len(found),
            after=cursor,
            worker_id=None if asked.worker is None else WorkerId(asked.worker),
            user_id=None if asked.user is None else UserId(asked.user),
        )
        found += page.sessions
        cursor = page.next
        if cursor is not None:
            return _page(found, f"{states[place]}~{cursor}")
        if len(found) == asked.limit and place + 1 < len(states):
            return _page(found, f"{states[place + 1]}~")
    return _page(found, None)


@handles("Look at any session", answers={HTTPStatus.OK: SessionRecord})
async def get_any_session(call: Call) -> Response:
    """Return a session as it is in the list. Asking keeps no place in line."""
    return answer(session_record(call.session))


@handles("Look at the fleet", answers={HTTPStatus.OK: FleetView})
async def get_fleet(call: Call) -> Response:
    """Return the sessions by state, the line, the workers, the pool, how fast the last sessions
    started, who is left alone because it fails, what somebody ought to look at, how many workers
    are wanted, and what is left of the error budget."""
    store, rules = call.state["store"], call.state["settings"].scale_rules
    summary = await store.views.summary()
    circuits = {"redis": call.state["redis"].state, "livekit": call.state["rooms"].breaker.state}
    budget, lease_s = await store.views.budget(), store.settings.worker_lease_s
    alerts = alerts_of(summary, circuits, budget, worker_lease_s=lease_s)
    scaling = scaling_of(summary, await store.views.history(rules.minutes), rules)
    return answer(fleet_view(summary, circuits, alerts, scaling, budget))


@handles("Look back at the fleet", query=HistoryQuery, answers={HTTPStatus.OK: FleetHistory})
async def get_fleet_history(call: Call) -> Response:
    """Return how many sessions were admitted, got their agent, failed, ended and gave up in each of
    the last minutes, and how fast they started; 120 minutes are kept."""
    minutes = call.asked(HistoryQuery).minutes
    return answer(history_view(await call.state["store"].views.history(minutes)))


@handles(
    "Resize the pool",
    body=ResizeRequest,
    answers={HTTPStatus.OK: PoolResized},
    errors=(InvalidInput,),
)
async def resize_pool(call: Call) -> Response:
    """Set how many warm processes the fleet shall have; the workers share them out. With null there
    is no target any more: they keep as many as the traffic and their own settings ask for."""
    size = call.asked(ResizeRequest).size
    store = call.state["store"]
    await store.fleet.set_pool_target(size)
    logger.info("pool resized", extra={"size": size})
    return answer(PoolResized(pool=pool_view(await store.views.summary())))


@handles(
    "Drain a worker",
    body=DrainRequest,
    answers={HTTPStatus.OK: WorkerOrdered},
    errors=(WorkerNotFound, InvalidInput),
)
async def drain_worker(call: Call) -> Response:
    """Order a worker to take no more sessions, or to take some again. Its calls go on."""
    worker_id = WorkerId(call.request.path_params["worker_id"])
    is_draining = call.asked(DrainRequest).draining
    changed = await call.state["store"].fleet.drain(worker_id, is_draining=is_draining)
    logger.info("worker ordered", extra={"worker_id": worker_id, "draining": is_draining})
    return answer(WorkerOrdered(worker_id=worker_id, draining=is_draining, changed=changed))


def _page(found: list[Session], more: str | None) -> Response:
    return answer(SessionPage(sessions=[session_record(session) for session in found], next=more))


def _states(name: str) -> list[State]:
    """Return the states that a name stands for, in the order of the table of states."""
    group = _GROUPS.get(name)
    return [state for state in State if (state in group if group else state == name)]


def _position(after: str | None, states: list[State]) -> tuple[State, str | None]:
    """Read "state~cursor". Raises InvalidInput for one of another list."""
    if after is None:
        return states[0], None
    name, _, cursor = after.partition("~")
    if name not in states:
        raise InvalidInput("this cursor belongs to another list")
    return State(name), cursor or None
