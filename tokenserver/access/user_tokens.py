"""Tokens of users (JWT, RFC 7519), as their identity provider signs them: whose are they?"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import ClaimError, JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from sessions.ids import UserId, parse_user_id
from tokenserver.access.keys import KeySet
from tokenserver.access.settings import AccessSettings

#: Providers' tokens have 1 to 3 KiB; a request's headers end at 64 KiB.
MAX_TOKEN_BYTES = 8 * 1024

#: A provider may write any number; this one is exact as a float.
_FAR_AWAY_S = 2**53

#: Kinds of tokens that say who calls: none given, a plain one, an access token (RFC 9068). Others
#: are signed by the same keys and mean something else: a logout, an event (RFC 8725 §3.11).
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})

#: What names of our own making look like. A `sub` that looks like one becomes a digest.
_OURS = re.compile(r"sub-[0-9a-f]{64}|unverified:")


class InvalidUserToken(Exception):
    """Raised when a token does not prove anything. The message is for the log: why.

    It holds nothing that the sender wrote. The sender learns only that it was refused.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownUser:
    """What a token proves."""

    user_id: UserId
    #: From then on it proves nothing: its `exp` and the leeway, in seconds since 1970.
    ends_at_s: float


class UserTokens:
    """Checks the tokens of users against the issuer, audience and algorithms of the settings."""

    def __init__(self, settings: AccessSettings, keys: KeySet) -> None:
        self._keys = keys
        self._algorithms = frozenset(settings.auth_algorithms)
        # Unknown headers are no reason to refuse (RFC 7515 §4), and providers do add their own.
        self._registry = JWSRegistry(algorithms=self._algorithms, strict_check_header=False)
        self._leeway_s = settings.auth_leeway_s
        self._claims = jwt.JWTClaimsRegistry(
            leeway=settings.auth_leeway_s,
            iss={"essential": True, "value": settings.auth_issuer or ""},
            aud={"essential": True, "value": settings.auth_audience or ""},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def verify(self, token: str) -> UserId:
        """Return whose token it is. Raises as `check`."""
        return (await self.check(token)).user_id

    async def check(self, token: str) -> KnownUser:
        """Return whose token it is, and for how long.

        Raises InvalidUserToken, and KeysUnavailable when that cannot be told now.
        """
        header = read_header(token)
        if header.alg not in self._algorithms:
            raise InvalidUserToken("its algorithm is not allowed")
        key = await self._keys.find(header.kid, header.alg)
        if key is None:
            raise InvalidUserToken("it is signed with a key that the provider does not have")
        claims = self._checked_claims(token, key)
        ends_at_s = float(min(claims["exp"], _FAR_AWAY_S)) + self._leeway_s
        return KnownUser(user_id=user_id_of(claims["sub"]), ends_at_s=ends_at_s)

    def _checked_claims(self, token: str, key: Key) -> dict[str, Any]:
        # Decoding checks the signature and nothing else, not even `exp`.
        try:
            claims = jwt.decode(token, key, registry=self._registry).claims
            self._claims.validate(claims)
        except ClaimError as error:
            raise InvalidUserToken(f"{error.error}: {error.claim}") from None
        except JoseError as error:
            raise InvalidUserToken(error.error) from None
        except (ValueError, RecursionError) as error:
            raise InvalidUserToken(type(error).__name__) from None
        return claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a token says about its own signature. Nothing is proved yet."""

    alg: str
    kid: str | None


def read_header(token: str) -> Header:
    """Return how a token says it is signed. Raises InvalidUserToken for what cannot be one.

    Keys that a token brings along or points to (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
    """
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise InvalidUserToken("it is too long, or no token at all")
    first, *others = token.split(".")
    if len(others) != 2:
        raise InvalidUserToken("it is not signed, but encrypted or something else")
    try:
        header = json.loads(urlsafe_b64decode(first.encode()))
    except (ValueError, binascii.Error, RecursionError):
        raise InvalidUserToken("its header is not readable") from None
    if not isinstance(header, dict):
        raise InvalidUserToken("its header is not readable")
    # Whoever lists what must be understood means something that is not (RFC 7515 §4.1.11);
    # `b64` is not for such tokens at all (RFC 7797 §7).
    if "crit" in header or "b64" in header:
        raise InvalidUserToken("it asks for extensions")
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(alg, str) or not isinstance(kid, str | None):
        raise InvalidUserToken("its header is not readable")
    if not isinstance(typ, str) or typ.lower() not in _TYPES:
        raise InvalidUserToken("it is another type of token")
    return Header(alg=alg, kid=kid)


def user_id_of(sub: object) -> UserId:
    """Return the id of the user that a checked token names. Raises InvalidUserToken.

    A `sub` that fits our ids is the id. Others, like `auth0|abc`, become `sub-` and their SHA-256
    in 64 hexadecimal digits, the same for ever. So does one that begins like that already:
    otherwise a user who may choose their name could take the name that stands for another.
    """
    if not isinstance(sub, str) or not sub:
        raise InvalidUserToken("it does not say whose it is")
    known = parse_user_id(sub)
    if known is not None and not _OURS.match(known):
        return known
    try:
        return UserId("sub-" + hashlib.sha256(sub.encode()).hexdigest())
    except UnicodeEncodeError:  # a lone half of a surrogate pair
        raise InvalidUserToken("it does not say whose it is") from None
