"""Who may call the API, how callers prove who they are, and how often they may call."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sessions.model import UserPolicy

#: Only what a public key verifies: with a shared secret, whoever checks could also sign. `EdDSA`
#: is not among them: that name does not say which curve, and RFC 9864 replaced it by `Ed25519`.
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"
]

#: An address that secrets or keys travel to: encrypted, or on this machine.
_SAFE_URL = r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])([:/]|$))"


class AuthMode(StrEnum):
    """Who may start sessions."""

    OPEN = "open"  # anyone, within the limits
    JWT = "jwt"  # users of an identity provider, who send its token


class AccessSettings(BaseSettings):
    """Settings of authentication and rate limits, read from the environment."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    auth_mode: AuthMode = Field(
        AuthMode.OPEN,
        description="Who may start sessions: `open` anyone within the limits, `jwt` who sends a "
        "token of your identity provider.",
    )
    auth_issuer: str | None = Field(
        None, min_length=1, max_length=512, description="Issuer (`iss`) that user tokens must name."
    )
    auth_audience: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Audience (`aud`) that user tokens must name.",
    )
    auth_jwks_url: str | None = Field(
        None,
        pattern=_SAFE_URL,
        max_length=2048,
        description="Where the identity provider publishes its keys (JWKS, RFC 7517); https, or "
        "http on this machine. Redirects are not followed.",
    )
    auth_algorithms: Annotated[list[Algorithm], Field(min_length=1)] = Field(
        ["RS256", "ES256"], description="Signature algorithms of user tokens, as a JSON list."
    )
    auth_leeway_s: int = Field(
        60, ge=0, le=300, description="How far clocks may differ when a user token is checked."
    )
    auth_keys_ttl_s: int = Field(
        600, ge=10, le=86_400, description="How long the provider's keys are used unasked."
    )
    auth_keys_stale_s: int = Field(
        86_400,
        ge=0,
        le=604_800,
        description="How much longer they are used while the provider does not answer.",
    )
    auth_keys_cooldown_s: float = Field(
        30.0,
        ge=1,
        le=3600,
        description="How long the provider is left alone after it failed; and for tokens with an "
        "unknown key it is asked once in this time at most.",
    )
    auth_keys_timeout_s: float = Field(
        1.5, gt=0, le=10, description="How long the provider may take to answer."
    )
    user_policy: UserPolicy = Field(
        UserPolicy.RESUME,
        description="What a start means for a user, known by token, who has a live session: "
        "`resume` it, `replace` it, `reject` the new one, `allow` both. For users whom an admin "
        "key names, `resume` means `replace`.",
    )
    admin_api_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Bearer key that sees and stops every session; unset means nobody does.",
    )
    admin_api_key_previous: SecretStr | None = Field(
        None,
        min_length=16,
        description="The admin key before it, which counts too while you replace it.",
    )
    trusted_proxy_hops: int = Field(
        0,
        ge=0,
        le=10,
        description="How many proxies of yours stand in front: a caller's address is the n-th from "
        "the right in `X-Forwarded-For`; 0: nobody's header is believed.",
    )
    token_limit_per_minute: int = Field(
        60,
        ge=1,
        le=100_000,
        description="How many tokens one address may fetch a minute. One that becomes a "
        "session, because its user joins, is a start then.",
    )
    read_limit_per_minute: int = Field(
        600, ge=1, le=1_000_000, description="How many other calls one address may make a minute."
    )
    admin_limit_per_minute: int = Field(
        6000,
        ge=1,
        le=1_000_000,
        description="How many calls an admin key may make a minute.",
    )

    @field_validator("auth_jwks_url")
    @classmethod
    def _check_jwks_url(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if not parts.hostname or parts.port == 0 or parts.fragment:  # `port` may raise, too
                raise ValueError("this is no address to fetch from")
            if parts.username is not None or parts.password is not None:
                raise ValueError("the keys are public; leave the password out")
        return url

    @model_validator(mode="after")
    def _check_jwt(self) -> Self:
        if self.auth_mode is AuthMode.JWT:
            for name in ("auth_issuer", "auth_audience", "auth_jwks_url"):
                if getattr(self, name) is None:
                    raise ValueError(f"AUTH_MODE=jwt needs {name.upper()}")
        return self

    @model_validator(mode="after")
    def _check_admin_keys(self) -> Self:
        if self.admin_api_key is None and self.admin_api_key_previous is not None:
            raise ValueError("ADMIN_API_KEY_PREVIOUS needs ADMIN_API_KEY")
        return self
