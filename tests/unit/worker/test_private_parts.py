"""The private parts of livekit-agents that we use are what we take them for.

When a new version fails here, read worker/host/pool.py and worker/call/track.py against it.
"""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
from dataclasses import dataclass, fields
from multiprocessing import forkserver
from types import SimpleNamespace
from typing import cast

import livekit.agents
import pytest
from livekit import rtc
from livekit.agents import AgentServer, AgentSession
from livekit.agents.ipc.job_executor import JobExecutor
from livekit.agents.ipc.job_proc_executor import ProcJobExecutor
from livekit.agents.ipc.proc_pool import ProcPool
from livekit.agents.job import JobAcceptArguments, JobContext, RunningJobInfo
from livekit.agents.voice.room_io import RoomIO
from livekit.agents.voice.room_io._output import (
    _ParticipantAudioOutput,
    _ParticipantTranscriptionOutput,
)
from livekit.protocol import agent
from livekit.protocol.agent import Job

from worker.call.moments import Moment
from worker.call.track import EarlyTrack, listen_only_to
from worker.host.forkserver import OF_THE_FRAMEWORK
from worker.host.pool import Crash, Pool
from worker.job.entrypoint import run
from worker.job.info import job_moments
from worker.voice.wishes import Wishes

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


def test_python_starts_the_process_that_jobs_are_forked_from_as_we_expect() -> None:
    """See worker/host/forkserver.py: code for `-c`, at the end of a program's arguments."""
    starting = inspect.getsource(forkserver.ForkServer.ensure_running)
    assert "args += ['-c', cmd]" in starting
    assert "util.spawnv_passfds(exe, args, fds_to_pass)" in starting
    assert starting.index("resource_tracker.ensure_running()") < starting.index("spawnv_passfds")
    running = inspect.getsource(AgentServer.run)
    added = [running.index(f'"{module}"') for module in OF_THE_FRAMEWORK]
    assert added == sorted(added)
    assert running.count('"livekit.agents.ipc.') == len(OF_THE_FRAMEWORK)


def build_pool() -> ProcPool:
    return ProcPool(
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


async def test_a_pool_keeps_its_warm_processes_in_a_queue() -> None:
    pool = build_pool()
    assert isinstance(pool._warmed_proc_queue, asyncio.Queue)
    assert len(pool._warmed_proc_queue._queue) == 0  # type: ignore[attr-defined]
    assert (pool._jobs_waiting_for_process, pool._closed) == (0, False)
    assert pool.processes == []
    assert pool._default_num_idle_processes == 0
    spawning = inspect.getsource(ProcPool._proc_spawn_task)
    assert 'self.emit("process_created", proc)' in spawning
    assert "_executors.append(proc)" in spawning
    filling = inspect.getsource(ProcPool._main_task)
    assert "min(self._target_idle_processes, self._default_num_idle_processes)" in filling
    assert "self._jobs_waiting_for_process" in filling
    assert hasattr(JobExecutor, "running_job")


def test_a_pool_tells_what_becomes_of_its_processes() -> None:
    """One that did not get warm is closed without having been ready."""
    spawning = inspect.getsource(ProcPool._proc_spawn_task)
    order = [
        'self.emit("process_ready", proc)',
        "if not initialized:",
        'self.emit("process_closed", proc)',
        "return",
        "self._monitor_process_task(proc)",
    ]
    assert [spawning.index(step) for step in order] == sorted(spawning.index(s) for s in order)
    assert 'self.emit("process_job_launched", proc)' in inspect.getsource(ProcPool.launch_job)
    watching = inspect.getsource(ProcPool._monitor_process_task)
    # Still in the list of processes, with its job.
    assert watching.index('self.emit("process_closed", proc)') < watching.index(".remove(proc)")


def test_a_process_that_has_ended_still_knows_its_job_and_how_it_ended() -> None:
    for name in ("exitcode", "running_job", "pid"):
        assert isinstance(getattr(ProcJobExecutor, name), property)
    assert "_running_job = None" not in inspect.getsource(ProcJobExecutor._supervise_task)


def test_with_an_endless_threshold_nobody_else_sets_the_size_of_the_pool() -> None:
    running = inspect.getsource(AgentServer.run)
    assert "if not math.isinf(load_threshold):" in running
    setting = running[running.index("if not math.isinf(load_threshold):") :]
    assert running.count("set_target_idle_processes") == setting.count("set_target_idle_processes")


async def test_watching_a_pool_counts_fills_and_tells_of_crashes() -> None:
    """Our view of the framework's own pool, without processes: its events are what it tells."""
    server = AgentServer(host="127.0.0.1", port=0, num_idle_processes=2)
    pool, view, crashes = build_pool(), Pool(server), list[Crash]()
    view.on_crash = (crashes.append,)
    server._proc_pool = pool
    assert view.spawned == 0
    proc = Ended(None, 0)
    pool.emit("process_created", proc)
    pool.emit("process_closed", proc)
    assert (view.spawned, view.failures, pool.target_idle_processes) == (1, 1, 0)
    pool.emit("process_ready", proc)
    assert (view.failures, pool.target_idle_processes) == (0, 2)
    view.resize(5)
    assert (pool.target_idle_processes, pool._default_num_idle_processes, view.target) == (5, 5, 5)
    for exit_code in (0, -9):
        proc = Ended(Running(Job(id=f"AJ_{exit_code}")), exit_code)
        pool.emit("process_ready", proc)
        pool.emit("process_closed", proc)
    assert [(one.job.id, one.exit_code) for one in crashes] == [("AJ_-9", -9)]
    assert view.failures == 0
    pool._closed = True
    pool.emit("process_closed", Ended(None, 1))
    assert view.failures == 0


@dataclass(eq=False)
class Running:
    job: Job


@dataclass(eq=False)
class Ended:
    """What the events are about."""

    running_job: Running | None
    exitcode: int


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


async def test_what_is_said_waits_until_somebody_has_subscribed() -> None:
    """Whoever is told of later than they are taken to have is not told of twice."""
    waiting = inspect.getsource(_ParticipantAudioOutput.capture_frame)
    assert "await self._subscribed_fut\n" in waiting
    publishing = inspect.getsource(_ParticipantAudioOutput._publish_track)
    assert "if not self._subscribed_fut.done():" in publishing
    track = EarlyTrack(rtc.Room())
    assert track.subscribed is track._subscribed_fut
    await track.aclose()


@pytest.mark.parametrize(
    ("output", "is_spoilt"), [(_ParticipantAudioOutput, True), (EarlyTrack, False)]
)
async def test_who_is_interrupted_before_there_is_a_listener_does_not_silence_the_others(
    output: type[_ParticipantAudioOutput], *, is_spoilt: bool
) -> None:
    """Once the framework's own does not either, ours need not prevent it."""
    track = EarlyTrack(rtc.Room())
    saying = asyncio.create_task(output.capture_frame(track, silence()))
    await asyncio.wait({saying}, timeout=0.05)
    saying.cancel()
    await asyncio.wait({saying})
    assert track.subscribed.cancelled() is is_spoilt
    await track.aclose()


def silence() -> rtc.AudioFrame:
    return rtc.AudioFrame(bytes(960), 24_000, 1, 480)


def test_the_framework_links_the_transcript_only_once_it_has_seen_the_user() -> None:
    assert "self._agent_tr_output.set_participant(" in inspect.getsource(RoomIO._init_task)
    assert callable(_ParticipantTranscriptionOutput.set_participant)
