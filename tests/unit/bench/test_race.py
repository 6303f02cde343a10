"""What the race makes of its figures: medians, shares of the plain worker's, verdicts."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time

import pytest

from bench.race.burst import Burst, burst_table
from bench.race.figures import Measure, middle, percentile, ratio
from bench.race.hold import Hold, Look, hold_tables
from bench.race.hook import Hook
from bench.race.processes import cpu_s, pss_mb
from bench.race.provider import tone
from bench.race.rest import Rest, rest_tables
from bench.race.run import make_parser
from bench.race.sides import BARE, DEFAULT, NAMES, THREADS, sides
from bench.race.start import Start, start_tables
from bench.race.talk import Talk, talk_tables
from bench.report import some_of
from devstack.talk.audio import LOUD, Sound, loudness
from devstack.terminal import Terminal


def test_ours_are_judged_by_their_share_of_the_plain_ones() -> None:
    measure = Measure(
        name="ms",
        found={"plain": [100.0, 90, 300], "openrtc": [60.0], "process": [50.0], "shared": [70.0]},
        of_plain={"process": 0.5, "shared": 0.5},
        beats_openrtc=True,
    )

    rows = {row.name: row for row in measure.rows()}

    assert rows["ms: plain"].figures["median"] == 100
    assert rows["ms: plain"].figures["highest"] == 300
    assert rows["ms: openrtc"].aim is None
    assert rows["ms: process"].figures["of plain"] == 0.5
    assert rows["ms: process"].verdict == "met"
    assert rows["ms: process, too"].judged == "of openrtc"
    assert rows["ms: process, too"].verdict == "met"
    assert rows["ms: shared"].verdict == "missed"
    assert rows["ms: shared, too"].verdict == "missed"


def test_without_a_plain_worker_there_is_no_verdict() -> None:
    measure = Measure(name="ms", found={"plain": [], "process": [5.0]}, of_plain={"process": 0.5})

    assert [row.verdict for row in measure.rows()] == [None, None]
    assert middle([]) is None
    assert ratio(1.0, 0.0) is None


def test_those_who_were_not_served_are_the_slowest() -> None:
    served = [float(number) for number in range(1, 10)]

    assert percentile(served, 90, of=10) == 9.0
    assert percentile(served[:-1], 90, of=10) is None


def test_starts_that_were_not_served_have_no_times() -> None:
    one = Start(track_ms=800, greeting_ms=900, refilled_cpu_s=1.0, ended_cpu_s=1.5)
    fast = Start(track_ms=400, greeting_ms=450, refilled_cpu_s=0.4, ended_cpu_s=0.6)

    (table,) = start_tables({"plain": [one, Start()], "process": [fast]})

    assert "plain 1 of 2, process 1 of 1" in table.notes[0]
    assert [row.verdict for row in table.rows if "process" in row.name] == ["met"] * 4


def test_a_burst_counts_the_fewest_that_were_served() -> None:
    all_of_them = Burst(active_ms=[100.0] * 10)
    bursts = {"plain": [Burst(active_ms=[900.0] * 9)], "process": [all_of_them]}

    rows = {row.name: row for row in burst_table(bursts, "warm").rows}

    assert rows["active, p90 ms: process"].verdict == "met"
    assert rows["served, fewest: plain"].figures["median"] == 9
    assert rows["served, fewest: process"].verdict == "met"


def test_a_worker_that_ended_by_itself_served_nobody_and_is_told_of() -> None:
    served, gone = Burst(active_ms=[100.0] * 10), Burst(active_ms=(), had_no_worker=True)

    table = burst_table({"openrtc": [served, gone, gone], "shared": [served]}, "warm")

    assert {row.name: row for row in table.rows}["served, fewest: openrtc"].figures["median"] == 0
    assert table.notes[-1] == "openrtc: in 2 of 3 rounds its worker had ended by itself"


def test_at_rest_a_session_is_what_came_with_it() -> None:
    def rest(cores: float, silent_cores: float, pss_mb: float) -> Rest:
        return Rest(
            sessions=4,
            idle_cores=0.1,
            idle_pss_mb=100,
            cores=cores,
            silent_cores=silent_cores,
            pss_mb=pss_mb,
        )

    plain, shared = rest(0.5, 0.3, 340), rest(0.2, 0.14, 120)

    (table,) = rest_tables({"plain": [plain], "shared": [shared]})

    rows = {row.name: row for row in table.rows}
    assert rows["cores, a quiet session: plain"].figures["median"] == 0.1
    assert rows["cores, a silent session: plain"].figures["median"] == 0.05
    assert rows["cores, a silent session: shared"].verdict == "met"
    assert rows["PSS MB, a session: shared"].figures["median"] == 5
    assert rows["PSS MB, a session: shared"].verdict == "met"


def test_answers_that_did_not_come_are_told() -> None:
    plain = Talk(session_cores=0.2, response_ms=[1000.0], provider_ms=3.0, unanswered=2)
    ours = Talk(session_cores=0.1, response_ms=[600.0], provider_ms=3.0, unanswered=0)

    (table,) = talk_tables({"plain": [plain], "process": [ours]})

    assert table.notes[0] == "answers: plain 1, unanswered 2, process 1, unanswered 0"
    assert [row.verdict for row in table.rows if "process" in row.name] == ["met", "met"]


def test_the_tone_is_loud_from_its_first_moment() -> None:
    sound = Sound.from_pcm(tone(1.0), 24_000)

    assert sound.seconds == 1.0
    assert loudness(sound.samples[:240]) > LOUD


async def test_the_hook_knows_agents_from_users() -> None:
    hook = Hook()
    user = {"kind": "STANDARD", "identity": "user"}
    agent = {"kind": "AGENT", "identity": "agent-1"}

    hook.take({"event": "participant_joined", "room": {"name": "a"}, "participant": user})
    assert hook.of("a").agent_active_at is None

    async def tell() -> None:
        hook.take({"event": "participant_joined", "room": {"name": "a"}, "participant": agent})

    telling = asyncio.create_task(tell())
    ends_at = time.monotonic() + 10
    assert await hook.until(lambda: hook.of("a").agent_active_at is not None, ends_at)
    await telling
    assert not await hook.until(lambda: False, time.monotonic() + 0.01)


def test_the_cpu_of_ended_children_counts() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    before_s = cpu_s(os.getpid())

    subprocess.run([sys.executable, "-S", "-c", burn], check=True, timeout=60)

    assert cpu_s(os.getpid()) - before_s >= 0.25
    assert pss_mb(os.getpid()) > 1


def test_sides_and_parts_are_named() -> None:
    assert some_of(NAMES, "plain, shared") == ["plain", "shared"]
    assert tuple(make_parser().parse_args([]).sides) == DEFAULT
    with pytest.raises(argparse.ArgumentTypeError, match="fast: not among"):
        some_of(NAMES, "plain,fast")
    with pytest.raises(argparse.ArgumentTypeError, match="name some"):
        some_of(NAMES, ",")


def test_the_thread_executor_races_only_if_asked_for() -> None:
    assert THREADS in NAMES
    assert THREADS not in DEFAULT

    (side,) = sides([THREADS, THREADS], {}, Terminal({}))

    assert side.argv == (sys.executable, "-m", "bench.race.threads_side", "start")
    assert side.workers == int(side.variables["RACE_CHILDREN"]) == 2
    assert not side.is_ours
    assert not side.has_process_each


def test_the_floor_is_measured_only_if_asked_for() -> None:
    (side,) = sides([BARE], {}, Terminal({}))

    assert BARE in NAMES
    assert BARE not in DEFAULT
    assert side.argv == (sys.executable, "-m", "bench.race.bare_side", "start")
    assert not side.is_ours


def look(sessions: int, worker_cores: float, worker_pss_mb: float) -> Look:
    return Look(
        sessions=sessions,
        worker_cores=worker_cores,
        livekit_cores=0.1 + 0.005 * sessions,
        redis_cores=0.0,
        worker_pss_mb=worker_pss_mb,
    )


def test_what_a_session_takes_is_more_than_an_idle_worker_does() -> None:
    idle = look(0, 0.05, 500)
    holds = {
        "plain": Hold(asked=30, held=25, starts_s=[1.0] * 25, looks=[idle, look(10, 0.45, 900)]),
        "shared": Hold(asked=100, held=100, starts_s=[0.5] * 100, looks=[idle, look(0, 1, 600)]),
    }

    held, cost = hold_tables(holds)

    plain, shared = held.rows
    assert plain.figures["without"] == 5
    assert plain.aim is None
    assert shared.figures["held, of plain"] == 4
    assert shared.verdict == "met"
    assert cost.rows[0].figures == {"worker": 40, "livekit": 5, "redis": 0, "PSS MB": 40}
    # Nobody had an agent by then: nothing to share the cost among.
    assert set(cost.rows[1].figures.values()) == {None}
