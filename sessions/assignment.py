"""The note that travels with a dispatch and tells the agent which session it is for."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sessions.ids import (
    MAX_ROOM_CHARS,
    PERSONA_PATTERN,
    SESSION_ID_PATTERN,
    WORKER_ID_PATTERN,
    SessionId,
    UserId,
    WorkerId,
    adopted_session_id,
    room_name,
    session_of_room,
)
from sessions.model import UserPolicy


class Assignment(BaseModel):
    """Job metadata of a dispatch. Made by our servers only.

    In its token a client can read it, so it holds no secret; it cannot change it. What a later
    version adds is passed over: while one is brought in, its servers send agents of this one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    session_id: Annotated[SessionId, Field(pattern=SESSION_ID_PATTERN)]
    #: None for a user without a name.
    user_id: Annotated[UserId, Field(max_length=128)] | None = None
    #: Identity of the user's participant: the agent listens to nobody else. Empty where whoever
    #: comes first is the user.
    identity: Annotated[str, Field(max_length=128)]
    #: Where the session takes place, unless in the room that is named after it.
    foreign_room: Annotated[str, Field(min_length=1, max_length=MAX_ROOM_CHARS)] | None = None
    #: The epoch this agent was sent under; its claim fails once another one was sent.
    epoch: Annotated[int, Field(ge=1)] = 1
    #: Whether the user wants to be remembered: the agent is told what was said before.
    remember: bool = False
    #: Whom the user wants to talk with; None is whoever is the worker's default.
    persona: Annotated[str, Field(pattern=PERSONA_PATTERN)] | None = None
    #: The worker that had the user before: others leave the job to it if they think that it can.
    prefer: Annotated[WorkerId, Field(pattern=WORKER_ID_PATTERN)] | None = None
    #: Hash of the secret that proves ownership; with `admit_on_start` only.
    secret_hash: Annotated[str, Field(max_length=64)] = ""
    #: True where only a token was handed out: the session takes its slot when the room starts.
    admit_on_start: bool = False
    #: Who is charged for the start, as `Newcomer.caller`; with `admit_on_start` only. A keyed hash:
    #: it tells nobody the address.
    caller: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    #: What becomes of the user's live session then; with `admit_on_start` only.
    policy: UserPolicy = UserPolicy.ALLOW

    @property
    def room(self) -> str:
        return self.foreign_room or room_name(self.session_id)

    @property
    def log_fields(self) -> dict[str, str | int]:
        """How lines of a log say whom they are about. A room of somebody else's is not named."""
        fields: dict[str, str | int] = {"session_id": self.session_id, "epoch": self.epoch}
        if self.foreign_room is None:
            fields["room"] = self.room
        return fields

    @classmethod
    def of_job(cls, metadata: str, room: str, *, job_id: str, may_adopt: bool) -> Self | None:
        """Return what a job is for; None when it is for nothing of ours.

        A job without metadata is one that somebody else has sent: LiveKit's own tools do, and
        tokens that name our agent. It is adopted as a session of its own. Rooms of ours are not
        adopted: their agents are sent by us. With metadata it must be an assignment, and for this
        very room.
        """
        if not metadata:
            if not may_adopt or session_of_room(room) or not 0 < len(room) <= MAX_ROOM_CHARS:
                return None
            return cls(
                session_id=adopted_session_id(job_id),
                identity="",
                foreign_room=room,
                admit_on_start=True,
            )
        assignment = cls.from_metadata(metadata)
        if assignment is None or assignment.room != room:
            return None
        # In a room of ours there is the one session that it is named after, and its user is known.
        is_ours = session_of_room(room) is not None
        is_foreign = assignment.foreign_room is not None or not assignment.identity
        return None if is_ours and is_foreign else assignment

    def to_metadata(self) -> str:
        """Return the assignment as the metadata of a dispatch."""
        return self.model_dump_json()

    @classmethod
    def from_metadata(cls, metadata: str) -> Self | None:
        """Return the assignment in a job's metadata, or None when it is not one of ours."""
        try:
            return cls.model_validate_json(metadata)
        except ValidationError:
            return None
