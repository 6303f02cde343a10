"""What `python -m bench.deploy_drill` does: one rollout after the other, under starts and talk."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.deploy_drill.deployers import Careful, Careless, Deployer, Rollout
from bench.deploy_drill.fleet import REPLICAS, Fleet, running_fleet
from bench.deploy_drill.held_calls import HeldCalls
from bench.deploy_drill.histories import history
from bench.deploy_drill.moments import in_drain, moments, sessions_given
from bench.deploy_drill.plan import Plan, read_plan
from bench.deploy_drill.replicas import Kind
from bench.deploy_drill.short_calls import ShortCall, ShortCalls
from bench.deploy_drill.tables import Found, tables
from bench.deploy_drill.versions import Version, Versions, make_versions
from bench.progress import Progress
from bench.race.run import mute_users
from bench.race.speech import spoken
from bench.report import report
from bench.table import Table
from devstack.errors import DevstackError
from devstack.terminal import Terminal

#: A new version has so long to be ready, as on Railway.
_READY_WITHIN_S = 120.0
#: Beyond what a worker takes for its calls, until it is killed.
_GRACE_MORE_S = 30.0


def steps(versions: Versions, plan: Plan) -> list[tuple[Version, float]]:
    """Return which versions are rolled out, in this order, and how long each is waited for."""
    bad = [(versions.broken, plan.patience_s), (versions.unready, plan.patience_s)]
    # Without care the first of them would leave nobody who serves.
    return [*([] if plan.is_careless else bad), (versions.new, _READY_WITHIN_S)]


async def drill(
    fleet: Fleet, versions: Versions, held: HeldCalls, plan: Plan, progress: Progress
) -> Found:
    """Have users come and talk, and roll out one version after the other meanwhile."""
    deployer, rollouts = _deployer(fleet, plan, progress), list[Rollout]()
    short = ShortCalls(fleet=fleet, sentences=held.sentences, every_s=plan.every_s)
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(held.hold(over), name="held calls")
        await held.until_all_talk()
        short.phase = "nothing is rolled out"
        tasks.create_task(short.keep_coming(over), name="short calls")
        await asyncio.sleep(plan.calm_s)
        for version, within_s in steps(versions, plan):
            for kind in Kind:
                short.phase = f"{kind}: {version.name}"
                rollouts.append(await deployer.roll_out(kind, version, within_s))
        short.phase = "all is done"
        await asyncio.sleep(plan.calm_s)
        progress.say("the last calls end")
        over.set()
    return await _found(fleet, rollouts, short, held, plan)


def _deployer(fleet: Fleet, plan: Plan, progress: Progress) -> Deployer:
    if plan.is_careless:
        return Careless(fleet, progress.say)
    return Careful(fleet, progress.say, grace_s=plan.drain_s + _GRACE_MORE_S)


async def _found(
    fleet: Fleet, rollouts: Sequence[Rollout], short: ShortCalls, held: HeldCalls, plan: Plan
) -> Found:
    good = [one for one in rollouts if one.version.is_good]
    given = {kind: sessions_given(fleet, kind, short.calls) for kind in Kind}
    old_workers = [one for rollout in good if rollout.kind is Kind.WORKER for one in rollout.old]
    draining = in_drain(short.calls, old_workers)
    return Found(
        rollouts=rollouts,
        moments=[(one.kind, moments(one, given[one.kind])) for one in good],
        short=short.calls,
        in_drain=draining,
        in_drain_moved=await _moved(fleet, draining),
        held=held.calls,
        replicas=REPLICAS,
        every_s=plan.every_s,
        drain_s=plan.drain_s,
        handover_s=plan.handover_s,
    )


async def _moved(fleet: Fleet, calls: Sequence[ShortCall]) -> int:
    """Return how many of these calls were handed over, of those that were heard."""
    ids = [one.session_id for one in calls if one.session_id is not None and not one.trouble]
    events = await asyncio.gather(*(fleet.store.journal.events(one) for one in ids))
    return sum(bool(history(of_one).handed_over_at) for of_one in events)


async def _run(plan: Plan, env: Mapping[str, str]) -> list[Table]:
    mute_users()
    progress = Progress("deploy drill", Terminal(env, sys.stderr))
    with ExitStack() as stack:
        temporary = partial(tempfile.TemporaryDirectory, prefix="deploy-drill-")
        folder = Path(stack.enter_context(temporary()))
        logs = plan.logs.resolve() if plan.logs else folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        versions = make_versions(folder)
        sentences = await spoken(env, folder)
        progress.say(f"{REPLICAS} token servers and {REPLICAS} workers start")
        settings = {
            "DRAIN_TIMEOUT_S": f"{plan.drain_s:g}",
            "HANDOVER_BEFORE_S": f"{plan.handover_s:g}",
        }
        async with running_fleet(env, logs, versions.old, settings) as fleet:
            held = HeldCalls(fleet, sentences, plan.users)
            try:
                found = await drill(fleet, versions, held, plan, progress)
            except ExceptionGroup as group:
                raise DevstackError(f"the drill broke off: {_first(group)!r}") from group
        progress.done()
        return tables(found)


def _first(error: Exception) -> Exception:
    """Return what went wrong first, in whichever of the tasks."""
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


def main(argv: Sequence[str] | None = None, *, text: str | None = None) -> int:
    """Run the drill; return 0 when all aims are met, 1 when one is missed or it broke off."""
    plan, json_file = read_plan(argv, text)
    # As after Ctrl-C: processes and folders are not left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return report(partial(_run, plan), json_file, is_drill=True)
    except KeyboardInterrupt:
        return 130
