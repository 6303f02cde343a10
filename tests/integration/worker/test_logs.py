"""The log of one session on its way to a real Redis: its own lines, and nothing that is private."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator

import pytest

from sessions.assignment import Assignment
from sessions.ids import new_session_id
from sessions.journal import Journal
from sessions.store import SessionStore
from tests.integration.worker.scribes import Desk
from tests.support.fault_proxy import Fault
from tests.support.wait import eventually
from worker.call.logs import SessionLog

KEY = "provider-key-4711"


@pytest.fixture(autouse=True)
def _every_level() -> None:
    logging.getLogger("tests.call").setLevel(logging.DEBUG)


pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture
async def log(desk: Desk) -> AsyncIterator[SessionLog]:
    log = SessionLog(desk.agent, desk.assignment, [KEY, "short"])
    log.begin()
    yield log
    await log.finish(0.1)


logger = logging.getLogger("tests.call")


async def until_logged(desk: Desk, text: str) -> list[str]:
    async def found() -> list[str]:
        lines = await desk.logged()
        return lines if any(text in line for line in lines) else []

    return await eventually(found, 20, message=text)


async def test_lines_of_the_session_are_written(desk: Desk, log: SessionLog) -> None:
    """From its own tasks, and from elsewhere by the field; others', and below INFO, are not."""
    session_id = desk.assignment.session_id

    async def live() -> None:
        log.bind()
        logger.debug("too fine")
        logger.info("in its task", extra={"duration_ms": 12, "session_id": session_id})
        await asyncio.create_task(live_below())

    async def live_below() -> None:
        logger.warning("in a task below", extra={"code": "stale_epoch"})

    async def another() -> None:
        log = SessionLog(desk.agent, Assignment(session_id=new_session_id(), identity="x"))
        log.bind()
        logger.info("of another session", extra={"session_id": session_id})

    await asyncio.create_task(live())
    await asyncio.create_task(another())
    logger.info("of no session")
    logger.info("by its field", extra={"session_id": session_id})
    assert await until_logged(desk, "by its field") == [
        "in its task duration_ms=12",
        "in a task below code=stale_epoch",
        "by its field",
    ]


async def test_nothing_private_is_written(desk: Desk, log: SessionLog) -> None:
    """Secrets by their shape or their value, words in fields, and the texts of exceptions."""

    async def live() -> None:
        log.bind()
        words = {
            "user_transcript": "my word is xyzzy",
            "lk.pii.text": "xyzzy",
            "arguments": {"name": "xyzzy"},
            "api_key": "xyzzy",
        }
        logger.info("heard", extra=words)
        logger.info("refused: key %s, Bearer abcdefghijkl, sk-abcdefghijkl", KEY)
        try:
            raise ValueError("xyzzy")
        except ValueError:
            logger.exception("failed")
        logger.info("a line\nin two, and short")

    await asyncio.create_task(live())
    assert await until_logged(desk, "in two") == [
        "heard",
        "refused: key [hidden], Bearer [hidden], [hidden]",
        "failed exception=ValueError",
        "a line in two, and short",
    ]


async def test_a_line_that_cannot_be_told_harms_nobody(desk: Desk, log: SessionLog) -> None:
    async def live() -> None:
        log.bind()
        # Told to nobody else: the test runner's own handler would raise.
        log.handle(logger.makeRecord("x", logging.INFO, "x", 1, "two %s %s", ("one",), None))

    await asyncio.create_task(live())
    await until_logged(desk, "cannot be shown")


async def test_many_lines_are_bounded_and_an_outage_is_waited_out(
    desk: Desk, log: SessionLog
) -> None:
    """What is logged while lines are written, as by a client library, is not written again."""
    await desk.proxy.switch(Fault.REFUSE)
    mark = secrets.token_hex(4)

    async def live() -> None:
        log.bind()
        for number in range(1_000):
            logger.info("%s %s", mark, number)
        await asyncio.sleep(1.5)
        logger.info("the last one")

    await asyncio.create_task(live())
    assert len(log._lines) == 200
    assert await desk.logged() == []
    await desk.proxy.switch(Fault.PASS)
    lines = await until_logged(desk, "the last one")
    assert lines == [f"{mark} {number}" for number in range(801, 1_000)] + ["the last one"]


async def test_what_is_logged_by_the_writing_is_not_written(desk: Desk) -> None:
    class Chatty(SessionStore):
        """Logs whenever it writes, as a library may."""

        @property
        def journal(self) -> Journal:
            logger.info("about to write", extra={"session_id": desk.assignment.session_id})
            return self._journal

        @journal.setter
        def journal(self, value: Journal) -> None:
            self._journal = value

    log = SessionLog(Chatty(desk.agent._engine.redis, desk.agent.settings), desk.assignment)
    log.begin()
    logger.info("one line", extra={"session_id": desk.assignment.session_id})
    assert await until_logged(desk, "one line") == ["one line"]
    await asyncio.sleep(2.5)
    assert await desk.logged() == ["one line"]
    await log.finish(5)


async def test_the_last_lines_are_written_at_the_end_and_none_after_it(desk: Desk) -> None:
    log = SessionLog(desk.agent, desk.assignment)
    log.begin()
    for number in range(10):
        logger.info("%s", number, extra={"session_id": desk.assignment.session_id})
    await log.finish(10)
    assert await desk.logged() == [str(number) for number in range(10)]
    logger.info("after the end", extra={"session_id": desk.assignment.session_id})
    await log.finish(1)
    assert len(await desk.logged()) == 10
    assert log not in logging.getLogger().handlers


async def test_the_end_does_not_wait_for_ever(desk: Desk, log: SessionLog) -> None:
    logger.info("lost", extra={"session_id": desk.assignment.session_id})
    await desk.proxy.switch(Fault.BLACK_HOLE)
    async with asyncio.timeout(10):
        await log.finish(0.2)


async def test_an_agent_that_was_replaced_logs_no_more(desk: Desk, log: SessionLog) -> None:
    await desk.store.lose(desk.assignment.session_id, "gone", epoch=1, is_certain=True)
    logger.info("late", extra={"session_id": desk.assignment.session_id})

    async def is_refused() -> bool:
        return log._is_refused

    await eventually(is_refused)
    assert await desk.logged() == []
