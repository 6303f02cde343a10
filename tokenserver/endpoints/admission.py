"""Who asks for a session, and on what terms: which user, which policy, which secret."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self

from sessions.ids import SessionId, UserId, new_identity, new_session_id, room_name
from sessions.model import Admission, IdempotencyKey, Newcomer, Session, UserPolicy
from sessions.states import State
from tokenserver.access.addresses import limit_key
from tokenserver.access.proofs import (
    derived_session_secret,
    hash_secret,
    is_secret_of,
    new_session_secret,
)
from tokenserver.access.settings import AuthMode
from tokenserver.access.user_tokens import user_id_of
from tokenserver.contract.queries import StartHeaders
from tokenserver.contract.requests import UNVERIFIED, StartRequest
from tokenserver.errors import ApiError
from tokenserver.http.call import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """A session that is asked for."""

    newcomer: Newcomer
    policy: UserPolicy
    secret: str = field(repr=False)
    #: What `secret` was before LIVEKIT_API_SECRET was replaced, as long as the one before is set.
    earlier_secret: str | None = field(default=None, repr=False)
    idempotency: IdempotencyKey | None

    @property
    def known_user(self) -> UserId | None:
        """The user, where that is proved."""
        return self.newcomer.user_id if self.newcomer.is_verified else None

    def secret_for(self, session: Session) -> str | None:
        """Return the one of them that is the session's, or None if it has another by now."""
        for secret in (self.secret, self.earlier_secret):
            if secret is not None and is_secret_of(session, secret):
                return secret
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What a start came to, as far as its answer needs to know."""

    id: SessionId
    status: State
    user_id: UserId | None
    identity: str
    epoch: int
    persona: str | None
    secret: str = field(repr=False)
    is_remembered: bool = False
    prewarmed: bool | None = None
    #: Whether nobody is known to have opened the room and sent its agent.
    is_new: bool = True

    @property
    def room(self) -> str:
        """The name of the room."""
        return room_name(self.id)

    @property
    def log_fields(self) -> dict[str, str | int]:
        """How lines of a log say whom they are about."""
        return {"session_id": self.id, "room": self.room, "epoch": self.epoch}

    @classmethod
    def of_newcomer(cls, newcomer: Newcomer, admission: Admission, secret: str) -> Self:
        """Return the seat of a session that was made just now; nothing has to be read for that."""
        return cls(
            id=newcomer.id,
            status=admission.status,
            user_id=newcomer.user_id,
            identity=newcomer.identity,
            epoch=admission.epoch,
            persona=newcomer.persona,
            secret=secret,
            is_remembered=newcomer.is_remembered,
        )

    @classmethod
    def of_session(cls, session: Session, secret: str) -> Self:
        """Return the seat of a session that was there."""
        return cls(
            id=session.id,
            status=session.status,
            user_id=session.user_id,
            identity=session.identity,
            epoch=session.epoch,
            persona=session.persona,
            secret=secret,
            is_remembered=session.is_remembered,
            prewarmed=session.prewarmed,
            is_new=session.claimed_at_ms is None,
        )


def applicant(call: Call) -> Applicant:
    """Return what a start asks for.

    Raises ApiError: 403 for a user that is not the caller, 400 for a persona that is not offered.
    """
    asked = call.asked(StartRequest)
    user_id, is_known = _user_of(call, asked)
    key = _idempotency(call, user_id)
    secret, *earlier = [new_session_secret()] if key is None else _secrets_of(call, key)
    return Applicant(
        newcomer=Newcomer(
            id=new_session_id(),
            user_id=user_id,
            identity=new_identity(),
            secret_hash=hash_secret(secret),
            persona=offered_persona(call, asked.persona),
            # Whoever may claim any name must not be told what was said under it.
            is_remembered=asked.remember and is_known,
            is_verified=is_known or user_id is None,
            caller=charged_caller(call),
        ),
        policy=_policy(call) if is_known else UserPolicy.ALLOW,
        secret=secret,
        earlier_secret=earlier[0] if earlier else None,
        idempotency=key,
    )


def offered_persona(call: Call, name: str | None) -> str | None:
    """Return a persona that somebody asked for. Raises ApiError 400 unless it may be chosen."""
    if name is not None and name not in call.state["settings"].persona_choice:
        raise ApiError(
            HTTPStatus.BAD_REQUEST, "unknown_persona", f"There is no persona {name[:64]!r} here."
        )
    return name


def charged_caller(call: Call) -> str | None:
    """Return what the store counts the starts of an address by; None for an admin."""
    if call.caller.is_admin:
        return None
    return call.state["limits"].name_of(limit_key(call.caller.address))


def _policy(call: Call) -> UserPolicy:
    """Return what becomes of a live session of the user.

    An admin may end it and start another, not come into it in the user's place.
    """
    policy = call.state["settings"].user_policy
    if call.caller.is_admin and policy is UserPolicy.RESUME:
        return UserPolicy.REPLACE
    return policy


def _user_of(call: Call, asked: StartRequest) -> tuple[UserId | None, bool]:
    """Return the user, and whether that is proved; an admin is believed."""
    named = None if asked.user_id is None else UserId(asked.user_id)
    if call.caller.is_admin:
        return named, named is not None
    if call.state["settings"].auth_mode is AuthMode.OPEN:
        # Another name than the same user's where it is proved: it opens nothing of theirs.
        return None if named is None else UserId(UNVERIFIED + named), False
    if named is not None and call.caller.user_id not in {named, user_id_of(named)}:
        raise ApiError(
            HTTPStatus.FORBIDDEN,
            "wrong_user",
            "userId is not the user of your token. Leave it out.",
        )
    return call.caller.user_id, True


def _idempotency(call: Call, user_id: UserId | None) -> IdempotencyKey | None:
    """Return the key that the caller sent, good among the calls of the same user only."""
    key = call.asked(StartHeaders).idempotency_key
    if key is None:
        return None
    scope = "admin" if call.caller.is_admin else f"user {call.caller.user_id or ''}"
    asked = call.asked(StartRequest)
    # What was asked before there were personas is asked in the same words.
    body = asked.model_dump_json(exclude={"persona"} if asked.persona is None else None)
    fingerprint = hashlib.sha256(f"{user_id}\n{body}".encode()).hexdigest()
    return IdempotencyKey(key=key, scope=scope, fingerprint=fingerprint)


def _secrets_of(call: Call, key: IdempotencyKey) -> list[str]:
    """Return the secret that belongs to a key, and what it was before a rotation, if it is known.

    Sessions that were started before outlive the rotation, and so do repetitions of their start.
    """
    settings = call.state["settings"]
    signing = (settings.livekit_api_secret, settings.livekit_previous_api_secret)
    return [
        derived_session_secret(one.get_secret_value(), key.scope, key.key, key.fingerprint)
        for one in signing
        if one is not None
    ]
