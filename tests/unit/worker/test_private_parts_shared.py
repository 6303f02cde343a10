"""What calls that share a process need of livekit-agents' private parts is as we take it to be.

When a new version fails here, read worker/host/shared/ and worker/job/shared.py against it.
"""

from __future__ import annotations

import inspect
import logging
import pickle
from asyncio import base_events
from dataclasses import fields

import pytest
from livekit.agents import AgentServer, JobExecutorType, JobProcess
from livekit.agents.ipc.job_executor import JobExecutor
from livekit.agents.ipc.job_proc_executor import ProcJobExecutor
from livekit.agents.ipc.job_proc_lazy_main import ProcStartArgs, _JobProc, proc_main
from livekit.agents.ipc.proc_client import _ProcClient
from livekit.agents.ipc.proc_pool import ProcPool
from livekit.agents.ipc.proto import InitializeRequest
from livekit.agents.ipc.supervised_proc import SupervisedProc
from livekit.agents.job import _ContextLogFieldsFilter

from tests.unit.worker.test_private_parts import build_pool
from worker.host.pool import Pool
from worker.host.shared.pool import SeatPool, SharedServer
from worker.host.shared.process import SharedProcess
from worker.host.shared.seat import Seat
from worker.job.shared import TIMERS, main


def test_asyncio_has_these_numbers_and_compares_them_at_each_turn() -> None:
    source = inspect.getsource(base_events.BaseEventLoop._run_once)  # type: ignore[attr-defined]
    for name in TIMERS:
        assert isinstance(getattr(base_events, name), int | float)
        assert name in source


async def test_the_pool_that_a_server_makes_becomes_one_of_seats() -> None:
    server = SharedServer(sessions_per_process=3, give_up_after_s=0, host="127.0.0.1", port=0)
    assert Pool(server).idle == 0
    with pytest.raises(AttributeError):
        _ = server._proc_pool
    server._proc_pool = build_pool()
    assert isinstance(server._proc_pool, SeatPool)
    assert inspect.getsource(AgentServer.run).count("self._proc_pool = ") == 1
    assert "_proc_pool = " not in inspect.getsource(AgentServer.__init__)


def test_a_pool_makes_what_is_to_be_warm_in_one_place() -> None:
    for asking in (ProcPool._main_task, ProcPool._acquire_proc):
        assert "self._proc_spawn_task()" in inspect.getsource(asking)
    spawning = inspect.getsource(ProcPool._proc_spawn_task)
    for step in (
        "self._executors.append(proc)",
        "self._warmed_proc_queue.put_nowait(proc)",
        "self._idle_ready.set()",
        "self._monitor_tasks.add(monitor_task)",
    ):
        assert step in spawning
    closing = inspect.getsource(ProcPool._main_task)
    assert "*[proc.aclose() for proc in self._executors]" in closing


def test_a_seat_is_all_that_a_pool_asks_of_a_process() -> None:
    asked = {name for name in vars(JobExecutor) if not name.startswith("_")}
    seat = {name for name, _ in inspect.getmembers(Seat)} | {"id", "user_arguments"}
    assert asked <= seat
    for name in ("exitcode", "pid"):
        assert isinstance(getattr(ProcJobExecutor, name), property)
        assert isinstance(getattr(Seat, name), property)


def test_a_process_is_supervised_as_we_expect() -> None:
    assert SupervisedProc.__abstractmethods__ == {"_create_process", "_main_task", "process_kind"}
    assert not SharedProcess.__abstractmethods__
    reading = inspect.getsource(inspect.unwrap(SupervisedProc._read_ipc_task))
    # Its answers to pings, too, reach `_main_task`.
    assert "ipc_ch.send_nowait(msg)" in reading
    assert "continue" not in reading
    assert "self._exitcode = self._proc.exitcode" in inspect.getsource(
        inspect.unwrap(SupervisedProc._supervise_task)
    )
    starting = inspect.getsource(SupervisedProc._start)
    assert "self._create_process(mp_cch, mp_log_cch)" in starting


def test_a_process_is_started_with_what_we_pass_on() -> None:
    assert {field.name for field in fields(ProcStartArgs)} == {
        "initialize_process_fnc",
        "job_entrypoint_fnc",
        "session_end_fnc",
        "session_end_timeout",
        "user_arguments",
        "mp_cch",
        "log_cch",
        "logger_levels",
        "simulation_end_fnc",
    }
    creating = inspect.getsource(ProcJobExecutor._create_process)
    assert 'name="job_proc"' in creating
    assert pickle.dumps(main)
    # What it does around a job, ours does around a process: levels, log, client, end.
    doing = inspect.getsource(proc_main)
    order = ["setLevel(level)", "LogQueueHandler(log_cch)", "client.initialize()", "client.run()"]
    assert [doing.index(step) for step in order] == sorted(doing.index(step) for step in order)


def test_a_job_can_be_run_in_a_loop_that_is_there() -> None:
    assert list(inspect.signature(_ProcClient.__init__).parameters)[1:] == [
        "mp_cch",
        "log_cch",
        "initialize_fnc",
        "main_task_fnc",
    ]
    serving = inspect.getsource(_ProcClient._monitor_task)
    assert "if self._init_req.ping_interval > 0:" in serving
    assert InitializeRequest().ping_interval == 0
    assert "_JobContextVar.set(self._job_ctx)" in inspect.getsource(
        inspect.unwrap(_JobProc._run_job_task)
    )
    ending = inspect.getsource(_JobProc._shutdown_job)
    assert ending.index("ShuttingDown()") < ending.index("Exiting(")


def test_jobs_that_share_a_process_have_fields_of_their_own_in_the_log() -> None:
    """Records outside of any job get none, as they would in a process of one job."""
    process = JobProcess(executor_type=JobExecutorType.THREAD, user_arguments=None, http_proxy=None)

    class Job:
        proc = process

        def __init__(self) -> None:
            self._log_fields = {"session_id": "somebody's"}

    record = logging.makeLogRecord({})
    assert _ContextLogFieldsFilter(Job()).filter(record)  # type: ignore[arg-type]
    assert not hasattr(record, "session_id")
