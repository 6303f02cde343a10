"""The private parts of livekit-agents that we use are what we take them for.

When a new version fails here, read worker/host/pool.py and worker/call/track.py against it.
"""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
from dataclasses import fields
from types import SimpleNamespace
from typing import cast

import livekit.agents
from livekit import rtc
from livekit.agents import AgentServer, AgentSession
from livekit.agents.ipc.job_executor import JobExecutor
from livekit.agents.ipc.proc_pool import ProcPool
from livekit.agents.job import JobAcceptArguments, JobContext, RunningJobInfo
from livekit.agents.voice.room_io import RoomIO
from livekit.agents.voice.room_io._output import (
    _ParticipantAudioOutput,
    _ParticipantTranscriptionOutput,
)
from livekit.protocol import agent

from worker.call.record import Moment
from worker.call.track import EarlyTrack, listen_only_to
from worker.host.pool import Pool
from worker.job.entrypoint import run
from worker.job.info import job_moments
from worker.tools.call import Wishes

PROBED_VERSION = "1.8.9"


def test_the_version_is_the_one_that_was_read() -> None:
    assert livekit.agents.__version__ == PROBED_VERSION


def test_a_server_that_does_not_run_is_neither_registered_nor_warm() -> None:
    server = AgentServer(host="127.0.0.1", port=0)
    assert server.id == "unregistered"
    assert server._connecting is False
    assert server._connection_failed is False
    pool = Pool(server)
    assert (pool.idle, pool.active, pool.is_registered, pool.livekit_worker_id) == (
        0,
        0,
        False,
        None,
    )


async def test_who_is_linked_can_be_said_before_anybody_is_there() -> None:
    """Untold, it takes whoever comes first."""
    session = AgentSession[Wishes](userdata=Wishes())
    session._room_io = io = RoomIO(session, rtc.Room())
    listen_only_to(session, "user-1")
    for identity in ("somebody-else", "user-1"):
        someone = SimpleNamespace(
            identity=identity, kind=rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD, attributes={}
        )
        io._on_participant_connected(cast("rtc.RemoteParticipant", someone))
    assert io.linked_participant is not None
    assert io.linked_participant.identity == "user-1"


def test_running_a_server_makes_a_pool_under_this_name() -> None:
    assert "self._proc_pool = ipc.proc_pool.ProcPool(" in inspect.getsource(AgentServer.run)
    connecting = inspect.getsource(AgentServer._connection_task)
    assert "self._connecting = True" in connecting
    assert "self._connecting = False" in connecting
    assert "self._connection_failed = True" in connecting
    passed_on = "num_idle_processes=ServerEnvOption.getvalue(self._num_idle_processes, devmode)"
    assert passed_on in inspect.getsource(AgentServer.run)


def test_connecting_can_be_asked_for_once() -> None:
    connect = inspect.unwrap(AgentServer._connection_task)
    assert connect is not AgentServer._connection_task
    source = inspect.getsource(connect)
    assert "while not self._closed:" in source
    assert "if retry_count >= self._max_retry:" in source
    assert "raise RuntimeError(" in source
    assert "self._connection_task(), name=" in inspect.getsource(AgentServer.run)
    registering = inspect.getsource(AgentServer._handle_register)
    assert 'self.emit("worker_registered"' in registering


async def test_a_pool_keeps_its_warm_processes_in_a_queue() -> None:
    pool = ProcPool(
        initialize_process_fnc=lambda _: None,
        job_entrypoint_fnc=run,
        session_end_fnc=None,
        simulation_end_fnc=None,
        num_idle_processes=0,
        initialize_timeout=1.0,
        close_timeout=1.0,
        session_end_timeout=1.0,
        inference_executor=None,
        job_executor_type=livekit.agents.JobExecutorType.PROCESS,
        mp_ctx=multiprocessing.get_context("forkserver"),
        memory_warn_mb=0,
        memory_limit_mb=0,
        http_proxy=None,
        loop=asyncio.get_running_loop(),
    )
    assert isinstance(pool._warmed_proc_queue, asyncio.Queue)
    assert pool.processes == []
    assert pool._default_num_idle_processes == 0
    spawning = inspect.getsource(ProcPool._proc_spawn_task)
    assert 'self.emit("process_created", proc)' in spawning
    assert "_executors.append(proc)" in spawning
    filling = inspect.getsource(ProcPool._main_task)
    assert "min(self._target_idle_processes, self._default_num_idle_processes)" in filling
    assert hasattr(JobExecutor, "running_job")


def test_a_job_knows_when_it_was_asked_for() -> None:
    known = {field.name: field.default for field in fields(RunningJobInfo)}
    moments = ("received_at", "accepted_at", "assigned_at", "launched_at")
    # 0 stands for unknown.
    assert {known.get(name) for name in moments} == {0.0}
    assert "self._info = info" in inspect.getsource(JobContext.__init__)
    info = RunningJobInfo(
        accept_arguments=JobAcceptArguments(name="", identity="", metadata=""),
        job=agent.Job(),
        url="",
        token="",
        worker_id="",
        fake_job=True,
        received_at=1.5,
        launched_at=2.5,
    )
    assert job_moments(SimpleNamespace(_info=info)) == {  # type: ignore[arg-type]
        Moment.RECEIVED: 1.5,
        Moment.LAUNCHED: 2.5,
    }


async def test_the_audio_output_can_be_started_by_us() -> None:
    track = EarlyTrack(rtc.Room())
    assert isinstance(track, _ParticipantAudioOutput)
    assert inspect.iscoroutinefunction(track.start)
    assert inspect.iscoroutinefunction(track.aclose)
    assert not track.subscribed.done()
    await track.aclose()


def test_the_framework_links_the_transcript_only_once_it_has_seen_the_user() -> None:
    assert "self._agent_tr_output.set_participant(" in inspect.getsource(RoomIO._init_task)
    assert callable(_ParticipantTranscriptionOutput.set_participant)
