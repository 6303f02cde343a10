"""The last writes of one session, and the closing of its room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine

import aiohttp
from livekit import api, rtc

from sessions.errors import StoreUnavailable, WrongSchema
from worker.call.lease import Lease
from worker.call.outcome import Outcome, Verdict

logger = logging.getLogger(__name__)

#: How long the last write may hold up the closing of the room, and be tried after it.
_RECORD_BEFORE_CLOSING_S = 3.0
_RECORD_AFTER_CLOSING_S = 15.0
_CLOSE_ROOM_S = 5.0
_RETRY_S = 0.2
#: How long each step of the end may take; host/server.py adds them up.
_STEP_S = 5.0


class Ending:
    """How one session comes to its end.

    The outcome is recorded before the room is closed: LiveKit's webhook about the room would
    otherwise end a session that had failed. Redis being away holds the closing up for a moment
    only. A room of somebody else's is never closed: the agent has left it by then, that is all.

    The agent leaves before it closes the room. A client that the server disconnects keeps the
    threads of what it published for the life of its process (livekit 1.1.21; docs/benchmarks.md,
    "Mixed load").
    """

    def __init__(
        self,
        lease: Lease,
        livekit: Callable[[], api.LiveKitAPI],
        room: rtc.Room,
        room_name: str,
        *,
        owns_room: bool,
    ) -> None:
        self._lease = lease
        self._livekit = livekit
        self._room = room
        self._room_name = room_name
        self._owns_room = owns_room

    async def leave(self) -> None:
        """Leave the room; nothing where that was done already."""
        await attempt("leaving the room", self._room.disconnect())

    async def settle(self, outcome: Outcome, *, must_close_room: bool) -> None:
        """Write down how it went and close the room, where both are this agent's business."""
        is_ours = outcome.verdict is not Verdict.LEFT
        is_recorded = not is_ours or await self._record(outcome, _RECORD_BEFORE_CLOSING_S)
        must_close = must_close_room or (is_ours and not self._lease.is_replaced)
        is_closed = must_close and (not self._owns_room or await self._close_room())
        if not is_recorded:
            is_recorded = await self._record(outcome, _RECORD_AFTER_CLOSING_S)
        if is_closed and is_recorded:
            await _write("closing", self._lease.mark_closed, _RECORD_BEFORE_CLOSING_S)

    async def _record(self, outcome: Outcome, deadline_s: float) -> bool:
        """Write the outcome; False when Redis did not take it in time."""
        if outcome.verdict is Verdict.FAILED:
            return await _write("outcome", lambda: self._lease.fail(outcome.error), deadline_s)
        return await _write("outcome", lambda: self._lease.end(outcome.reason), deadline_s)

    async def _close_room(self) -> bool:
        """Close the room; False when that is not certain."""
        logging.getLogger("livekit").addFilter(_is_no_closed_channel)
        await self.leave()
        try:
            async with asyncio.timeout(_CLOSE_ROOM_S):
                await self._livekit().room.delete_room(api.DeleteRoomRequest(room=self._room_name))
        except api.ServerError as error:
            if error.code == api.ServerErrorCode.NOT_FOUND:
                return True
            logger.warning("room could not be closed", extra={"reason": error.code})
            return False
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning("room could not be closed", extra={"reason": type(error).__name__})
            return False
        except Exception:
            logger.exception("room could not be closed")
            return False
        return True


def _is_no_closed_channel(record: logging.LogRecord) -> bool:
    """Pass over what the WebRTC library says of each channel that a closed room takes away.

    It calls that an error. Of a connection that breaks, other lines tell.
    """
    return "closed unexpectedly" not in record.getMessage()


async def attempt(what: str, work: Coroutine[object, object, object]) -> None:
    """Do one step of the end; what fails or hangs there must not keep the others from theirs.

    It is not cancelled when it takes too long: a call into the WebRTC library bears that badly.
    """
    step = asyncio.create_task(work)
    done, _ = await asyncio.wait({step}, timeout=_STEP_S)
    if not done:
        logger.error("end of the call: gave up", extra={"what": what, "deadline_s": _STEP_S})
    elif not step.cancelled() and (error := step.exception()) is not None:
        logger.error("end of the call: failed", extra={"what": what}, exc_info=error)


async def _write(what: str, write: Callable[[], Awaitable[None]], deadline_s: float) -> bool:
    """Repeat a last write until Redis takes it; False when it did not in time."""
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                try:
                    await write()
                except (StoreUnavailable, WrongSchema):
                    await asyncio.sleep(_RETRY_S)
                except Exception:
                    # The room is to be closed all the same.
                    logger.exception("not recorded", extra={"what": what})
                    return False
                else:
                    return True
    except TimeoutError:
        logger.warning("not recorded", extra={"what": what})
        return False
