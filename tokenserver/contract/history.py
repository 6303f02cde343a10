"""What happened to the fleet minute by minute: the query and its answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from sessions.minutes import History
from sessions.settings import MINUTES_KEPT, STARTUP_EDGES_MS
from tokenserver.contract.answers import Answer, Time


class HistoryQuery(BaseModel):
    """Query of `GET /api/fleet/history`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minutes: Annotated[int, Field(ge=1, le=MINUTES_KEPT)] = Field(
        60, description="How many, this one included."
    )


class HistoryPoint(BaseModel):
    """How many sessions changed in one minute."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: Time = Field(description="When the minute began.")
    admitted: int = Field(description="Got a slot.")
    ready: int = Field(description="Their first agent was there; later ones are not counted.")
    failed: int = Field(description="Failed.")
    ended: int = Field(description="Ended.")
    expired: int = Field(
        description="Did not ask any more while they waited; who left the line has ended."
    )


class LatencyHistogram(BaseModel):
    """First starts by how long they took, over all of these minutes."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    edges_ms: list[int] = Field(description="Upper edges.")
    counts: list[int] = Field(
        description="Up to each edge, but beyond the one before; the last beyond them all."
    )


class FleetHistory(Answer):
    """Minute by minute, the oldest first; the last one is not over yet."""

    points: list[HistoryPoint] = Field(description="One for each minute.")
    latency: LatencyHistogram = Field(description="How fast sessions started.")
    success_rate: float | None = Field(
        description="The share of `ready` in `ready` and `failed`; null while there were none."
    )


def history_view(history: History) -> FleetHistory:
    """Return it as an answer."""
    return FleetHistory(
        points=[
            HistoryPoint(
                at=minute.at_ms,
                admitted=minute.admitted,
                ready=minute.ready,
                failed=minute.failed,
                ended=minute.ended,
                expired=minute.expired,
            )
            for minute in history.minutes
        ],
        latency=LatencyHistogram(edges_ms=list(STARTUP_EDGES_MS), counts=list(history.startups)),
        success_rate=history.success_rate,
    )
