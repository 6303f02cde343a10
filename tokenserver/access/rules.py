"""Who may call an operation. There is no operation without one of these rules.

A rule looks at a call whose body was read, raises what the caller is told, or lets it pass.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from sessions.errors import SessionNotFound
from sessions.ids import SessionId, parse_session_id
from sessions.model import Session
from tokenserver.access.proofs import is_secret_of, looks_like_user_token
from tokenserver.access.settings import AuthMode
from tokenserver.access.user_tokens import InvalidUserToken
from tokenserver.errors import ApiError

if TYPE_CHECKING:
    from tokenserver.http.call import Call


@dataclass(frozen=True, slots=True)
class Access:
    """A rule: its check, and the proofs that it accepts, as the OpenAPI document names them."""

    name: str
    check: Callable[[Call], Awaitable[None]]
    proofs: tuple[str, ...] = ()
    #: Whether nobody is let in without one of them.
    is_strict: bool = True


async def _let_in(call: Call) -> None:
    """Let anybody in."""


async def _check_admin(call: Call) -> None:
    """Let admins in, with the session that the path names, if it names one."""
    if not call.caller.is_admin:
        raise unauthorized("Send an admin key as `Authorization: Bearer …`.")
    if "session_id" in call.request.path_params:
        call.owned = await call.state["store"].get(_named_session(call))


async def _check_user(call: Call) -> None:
    """Find out which user calls, where an identity provider says so."""
    if call.state["settings"].auth_mode is AuthMode.OPEN or call.caller.is_admin:
        return
    if not call.caller.proof:
        raise unauthorized("Send your user token as `Authorization: Bearer …`.")
    await _find_user(call, call.caller.proof)


async def _check_owner(call: Call) -> None:
    """Load the session that is named; to anybody but its owner and admins it does not exist."""
    secret = call.caller.proof or getattr(call.body, "session_secret", None)
    if not secret:
        raise unauthorized(
            "Send the sessionSecret that start returned as `Authorization: Bearer …`."
        )
    is_user = call.state["settings"].auth_mode is AuthMode.JWT and looks_like_user_token(secret)
    if is_user and not call.caller.is_admin:
        await _find_user(call, secret)
    session = await call.state["store"].get(_named_session(call))
    check_still_owner(call, session)
    call.owned = session


async def _find_user(call: Call, token: str) -> None:
    user = await call.state["user_tokens"].check(token)
    call.caller.user_id, call.caller.user_until_s = user.user_id, user.ends_at_s


def check_still_owner(call: Call, session: Session) -> None:
    """Check again whose a session is, for who waits: a proof ends before the connection does.

    Raises InvalidUserToken when the token has expired, SessionNotFound when the secret is another.
    """
    if call.caller.is_admin:
        return
    if time.time() >= call.caller.user_until_s:
        raise InvalidUserToken("it expired while its user waited")
    if not is_theirs(call, session):
        raise SessionNotFound(session.id)


async def _check_user_or_owner(call: Call) -> None:
    """A body that names a session is its owner's; any other a user's."""
    is_named = getattr(call.body, "session_id", None) is not None
    await (_check_owner if is_named else _check_user)(call)


def is_theirs(call: Call, session: Session) -> bool:
    """Say whether a session is the caller's own. Those of others an admin may see and stop."""
    caller = call.caller
    if caller.user_id is not None and caller.user_id == session.user_id:
        return True
    given = (caller.proof, getattr(call.body, "session_secret", None))
    return any(is_secret_of(session, secret) for secret in given if secret)


def _named_session(call: Call) -> SessionId:
    text = call.request.path_params.get("session_id") or getattr(call.body, "session_id", "")
    session_id = parse_session_id(str(text))
    if session_id is None:
        raise SessionNotFound
    return session_id


def unauthorized(message: str) -> ApiError:
    """Return the one answer to whoever did not prove anything."""
    return ApiError(HTTPStatus.UNAUTHORIZED, "unauthorized", message)


ANYONE = Access("anyone", _let_in, is_strict=False)
ADMIN = Access("admin", _check_admin, ("adminKey",))
USER = Access("user", _check_user, ("userToken", "adminKey"), is_strict=False)
OWNER = Access("owner", _check_owner, ("sessionSecret", "userToken", "adminKey"))
USER_OR_OWNER = Access(
    "user, or owner of the session named",
    _check_user_or_owner,
    ("sessionSecret", "userToken", "adminKey"),
    is_strict=False,
)
#: The handler checks LiveKit's signature over the bytes of the body, before it reads them as JSON.
LIVEKIT = Access("livekit", _let_in, ("livekitSignature",))
