"""A call does nothing that could have been done before it: what was won once stays won.

Counted, not timed, as a machine may be busy.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis

from devstack.settings import REPO
from sessions.settings import StoreSettings
from sessions.states import State
from tests.integration.worker.fleet import CALL_S, Call, Fleet, WorkerProcess
from tests.support.speech import speak

pytestmark = pytest.mark.timeout(300)

PROBE = REPO / "tests" / "support" / "probe"
#: What each call has to read anew: what memory it takes; the folder of its own that it removes.
ALLOWED = ("/proc/self/smaps_rollup", str(Path(tempfile.gettempdir()) / tempfile.gettempprefix()))
VERB = re.compile(r'"verb": "(\w+)"')
END = "the greeting was heard"
#: What is done again and again, however long a start takes: leases, and what is put on record.
REPEATED = {"renew", "part", "log"}


@dataclass(frozen=True, kw_only=True)
class Use:
    """Something that a process did."""

    pid: int
    at: float
    kind: str
    what: str
    wanted_by: str

    @property
    def is_allowed(self) -> bool:
        return self.kind == "open" and self.what.startswith(ALLOWED)


def uses(file: Path) -> list[Use]:
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [Use(wanted_by=one.pop("for"), **one) for one in found]


def pids_of(worker: WorkerProcess, call: Call) -> set[int]:
    records = [json.loads(line) for line in worker.records_of(call) if line.startswith("{")]
    # The worker's own lines name the session, too, and no process.
    own = [one for one in records if one.get("session_id") == call.session_id]
    return {one["pid"] for one in own if "pid" in one}


@pytest.mark.parametrize("isolation", ["process", "shared"])
async def test_everything_was_there_before(
    fleet: Fleet, localvoice_url: str, tmp_path: Path, isolation: str
) -> None:
    """1. A worker is ready. 2. A user is greeted, asks, is answered, and leaves.

    Result: no module was imported for it, no program run, no certificates and no file read.
    """
    file = tmp_path / "uses.jsonl"
    variables = {"PYTHONPATH": str(PROBE), "PROBE_FILE": str(file), "ISOLATION": isolation}
    worker = await fleet.start_worker(**variables)  # type: ignore[arg-type]
    question = await speak(localvoice_url, "What is seven plus five?")
    began_at = time.time()
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.say(question)
        await caller.wait_answer(CALL_S)
    await call.until(State.ENDED)
    await call.until_room_is_closed()
    pids = pids_of(worker, call)
    assert len(pids) == 1
    everything = uses(file)
    # The control: it hears whatever these processes do.
    assert {"import", "open", "trust", "program"} <= {one.kind for one in everything}
    assert any(one.pid in pids for one in everything)
    late = [one for one in everything if one.pid in pids and one.at >= began_at]
    assert [one for one in late if not one.is_allowed] == []


async def test_a_start_asks_redis_a_few_times(fleet: Fleet, settings: StoreSettings) -> None:
    """1. A worker is ready. 2. All that Redis is told about a call is listened to until it greets.

    Result: three steps, one round trip each, and what nobody waits for.
    """
    await fleet.start_worker()
    call = fleet.new_call()
    await fleet.admit(call)
    told = []
    async with (
        Redis.from_url(settings.redis_url.get_secret_value()) as redis,
        redis.monitor() as monitor,
    ):
        await fleet.send_agent(call, call.assignment().to_metadata())
        async with call.join() as caller:
            await caller.wait_greeting(CALL_S)
        await redis.echo(END)
        async for line in monitor.listen():
            if END in line["command"]:
                break
            # What scripts do within Redis costs no round trip.
            if line["client_type"] != "lua" and call.session_id in line["command"]:
                told.append(line["command"])
    steps = Counter(VERB.findall(" ".join(told)))
    once = {step: times for step, times in steps.items() if step not in REPEATED}
    # The greeting may be written as a turn by then.
    assert once.pop("turn", 1) == 1
    assert once == {"claim": 1, "join": 1, "ready": 1}
