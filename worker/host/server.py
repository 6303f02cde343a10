"""The worker process: the framework's server, put together our way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from livekit.agents import AgentServer

from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.ids import WorkerId
from sessions.store import SessionStore
from worker.host.admission import Gate
from worker.host.colleagues import Colleagues
from worker.host.connection import PatientServer
from worker.host.crashes import Crashes
from worker.host.figures import figures_address
from worker.host.handover import Handover
from worker.host.health import Health
from worker.host.memory import look_no_closer_than_needed
from worker.host.pool import Pool
from worker.host.registry import Registry
from worker.host.scrape import Scrape
from worker.host.shared.pool import SharedServer
from worker.host.subjects import Subjects
from worker.job import hooks
from worker.personas.cast import Cast
from worker.settings import Isolation, WorkerSettings
from worker.toolbox.discovery import Toolbox

#: LiveKit leaves workers out from a load of 0.7 on, by default. Ours never says so much: it
#: declines what is too much for it, and then the next worker is asked.
_FULL_LOAD = 0.65
#: Time for `on_session_end`: the deadlines in call/{call,ending}.py, one after the other.
_SESSION_END_S = 60.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that is built but does not run yet."""

    settings: WorkerSettings
    server: AgentServer
    pool: Pool
    gate: Gate
    health: Health
    redis: Client
    registry: Registry
    cast: Cast
    handover: Handover
    crashes: Crashes
    scrape: Scrape
    subjects: Subjects
    #: Where its processes send what they measure.
    figures_at: str


def build_worker(settings: WorkerSettings) -> Worker:
    """Put the parts together; nothing is started. Raises Unusable."""
    toolbox = Toolbox.load(settings.tools_dir, settings.tool_timeout_s)
    cast = Cast.of(settings, toolbox.names)
    figures_at = figures_address()
    server = build_server(settings, cast, figures_at)
    pool = Pool(server)
    colleagues = Colleagues(WorkerId(settings.worker_id), settings.worker_heartbeat_s)
    subjects = Subjects(settings.worker_id, may_adopt=settings.adopt_dispatches)
    gate = _gate(settings, pool, colleagues, subjects)
    server.load_fnc = lambda: _FULL_LOAD * min(gate.taken / gate.capacity, 1.0)
    server.rtc_session(
        hooks.run,
        agent_name=settings.agent_name,
        on_request=gate.answer,
        on_session_end=hooks.on_session_end,
    )
    redis = connect(settings, Temper.HASTY)
    store = SessionStore(redis, settings)
    crashes = Crashes(store, may_adopt=settings.adopt_dispatches)
    scrape = Scrape(settings, pool, gate)
    pool.on_warm = scrape.note_warm
    pool.on_crash = (scrape.note_crash, crashes.report)
    return Worker(
        settings=settings,
        server=server,
        pool=pool,
        gate=gate,
        health=Health(settings, pool, gate),
        redis=redis,
        registry=Registry(settings, store.fleet, pool, gate, colleagues),
        cast=cast,
        crashes=crashes,
        scrape=scrape,
        subjects=subjects,
        figures_at=figures_at,
        handover=Handover(settings, store.fleet, pool),
    )


def _gate(settings: WorkerSettings, pool: Pool, colleagues: Colleagues, subjects: Subjects) -> Gate:
    return Gate(
        settings.worker_capacity,
        lambda: pool.active,
        may_adopt=settings.adopt_dispatches,
        # Where processes do not start any more, those that are warm are all there is.
        can_start=lambda starting: not pool.failures or pool.idle > starting,
        on_start=pool.call_starts,
        would_take=colleagues.would_take,
        on_offer=subjects.learn,
    )


def build_server(settings: WorkerSettings, cast: Cast, figures_at: str) -> AgentServer:
    """Build the framework's server, without a session type yet."""
    look_no_closer_than_needed()
    make = partial(SharedServer, sessions_per_process=settings.sessions_per_process)
    is_shared = settings.isolation is Isolation.SHARED
    return (make if is_shared else PatientServer)(
        ws_url=settings.livekit_url,
        api_key=settings.livekit_api_key,
        api_secret=settings.livekit_api_secret.get_secret_value(),
        give_up_after_s=settings.livekit_give_up_after_s,
        num_idle_processes=settings.pool_size,
        # These travel to the job processes, so that all of them agree on one worker id, and on who
        # the personas are.
        setup_fnc=partial(hooks.prewarm, settings, cast, figures_at),
        initialize_process_timeout=settings.process_start_timeout_s,
        preload_modules=hooks.PRELOADED,
        # With a threshold an idle worker declines a burst of more than `pool_size` calls, and a
        # busy one stops refilling its pool. Capacity is the gate's business.
        load_threshold=math.inf,
        drain_timeout=settings.drain_timeout_s,
        session_end_timeout=_SESSION_END_S,
        # Its own health endpoint cannot be switched off: keep it out of the way.
        host="127.0.0.1",
        port=0,
    )
