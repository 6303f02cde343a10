"""What is on record of a session: how it went, its log, and what was said."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import Response

from tokenserver.contract.answers import LogLine, Logs, Transcript, TurnView
from tokenserver.contract.queries import LogsQuery
from tokenserver.contract.records import Record, record_of
from tokenserver.http.answers import answer
from tokenserver.http.call import Call
from tokenserver.http.operation import handles


@handles("Read the log of a session", query=LogsQuery, answers={HTTPStatus.OK: Logs})
async def get_logs(call: Call) -> Response:
    """Return the last lines of a session's log, the oldest first; 200 are kept."""
    last = call.asked(LogsQuery).last
    entries = await call.state["store"].journal.logs(call.session.id, last)
    lines = [LogLine(at=entry.at_ms, level=entry.level, text=entry.text) for entry in entries]
    return answer(Logs(session_id=call.session.id, logs=lines))


@handles("Read what was said", answers={HTTPStatus.OK: Transcript})
async def get_transcript(call: Call) -> Response:
    """Return the last 200 turns, the oldest first. With TRANSCRIPTS=off there are none."""
    turns = await call.state["store"].conversations.of(call.session.id)
    said = [TurnView(role=turn.role, text=turn.text, at=turn.at_ms) for turn in turns]
    return answer(Transcript(session_id=call.session.id, turns=said))


@handles("Read how a session went", answers={HTTPStatus.OK: Record})
async def get_record(call: Call) -> Response:
    """Return the timeline, the times of each turn, usage and errors, agent by agent.

    It is written while the session goes on, a few seconds late, and holds no words.
    """
    parts = await call.state["store"].records.of(call.session.id)
    return answer(record_of(call.session, parts))
