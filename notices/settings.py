"""Who is told what, and how long it is tried."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from notices.address import Guard
from notices.delivery import Courier, Endpoint
from notices.formats import Format
from notices.signature import read_secrets

_MOST_URL_CHARS = 2_048


class NoticeSettings(BaseSettings):
    """Settings of outgoing webhooks, read from the environment."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    alert_webhook_url: SecretStr | None = Field(
        None,
        description="Where alerts are posted, `https://` or `http://`; unset: nowhere "
        "(docs/webhooks.md). A secret: whoever knows it may post there, too.",
    )
    alert_webhook_format: Format = Field(
        Format.JSON,
        description="`json` as docs/webhooks.md says, or `slack` for an incoming webhook of Slack.",
    )
    alert_webhook_secret: SecretStr | None = Field(
        None,
        description="Signs them: `whsec_` and base64 of 24 to 64 bytes; two with a space between "
        "while one is replaced. Needed for `json`, of no use for `slack`.",
    )
    alert_interval_s: float = Field(
        10.0, gt=0, le=30, description="How often alerts are looked for."
    )
    alert_for_s: float = Field(
        30.0, ge=0, le=3600, description="How long something has to be wrong before that is told."
    )
    alert_clear_s: float = Field(
        120.0, ge=0, le=3600, description="How long it has to be well before that is told."
    )
    alert_repeat_s: float = Field(
        14_400.0,
        ge=60,
        le=604_800,
        description="How often it is told again while it stays wrong; what could not be delivered "
        "until then is given up.",
    )
    event_webhook_url: SecretStr | None = Field(
        None,
        description="Where `session.started`, `session.ended` and `session.failed` are posted; "
        "unset: nowhere. A secret, too.",
    )
    event_webhook_secret: SecretStr | None = Field(
        None, description="Signs them, as `ALERT_WEBHOOK_SECRET`; needed with the URL."
    )
    event_webhook_give_up_s: float = Field(
        3600.0,
        ge=1,
        le=86_400,
        description="How old an event may be that is still tried to deliver. The records of "
        "sessions have to be kept as long (`HISTORY_TTL_S`), or there is nothing to tell any more.",
    )
    webhook_timeout_s: float = Field(
        10.0, gt=0, le=15, description="How long one attempt to deliver may take."
    )
    webhook_networks: list[IPv4Network | IPv6Network] = Field(
        [],
        description="Networks of yours that webhooks may be posted to, as a JSON list: "
        '`["10.0.0.0/8"]`. All others have to be of the public Internet.',
    )

    @field_validator("alert_webhook_url", "event_webhook_url")
    @classmethod
    def _is_a_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            _check_url(url.get_secret_value())
        return url

    @field_validator("alert_webhook_secret", "event_webhook_secret")
    @classmethod
    def _is_a_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            read_secrets(secret.get_secret_value())
        return secret

    @model_validator(mode="after")
    def _check_webhooks(self) -> Self:
        is_signed = self.alert_webhook_format is Format.JSON
        if self.alert_webhook_url and is_signed and not self.alert_webhook_secret:
            raise ValueError("ALERT_WEBHOOK_URL needs ALERT_WEBHOOK_SECRET, or format slack")
        if self.event_webhook_url and not self.event_webhook_secret:
            raise ValueError("EVENT_WEBHOOK_URL needs EVENT_WEBHOOK_SECRET")
        for name, url in (("ALERT", self.alert_webhook_url), ("EVENT", self.event_webhook_url)):
            if url is not None and not self._may_reach(url.get_secret_value()):
                raise ValueError(f"{name}_WEBHOOK_URL is in no network of WEBHOOK_NETWORKS")
        return self

    def alert_courier(self) -> Courier | None:
        """Return who takes alerts to where they are wanted; None where nobody wants them."""
        return self._courier(
            self.alert_webhook_url, self.alert_webhook_secret, self.alert_webhook_format
        )

    def event_courier(self) -> Courier | None:
        """Return who takes events to where they are wanted; None where nobody wants them."""
        return self._courier(self.event_webhook_url, self.event_webhook_secret, Format.JSON)

    def _courier(
        self, url: SecretStr | None, secret: SecretStr | None, shape: Format
    ) -> Courier | None:
        if url is None:
            return None
        is_signed = secret is not None and shape is Format.JSON
        endpoint = Endpoint(
            url=url.get_secret_value(),
            secrets=read_secrets(secret.get_secret_value()) if secret and is_signed else (),
            format=shape,
        )
        guard = Guard(self.webhook_networks)
        return Courier(endpoint, guard, timeout_s=self.webhook_timeout_s)

    def _may_reach(self, url: str) -> bool:
        """Say whether an address that a URL names may be reached; names are looked up later."""
        host = urlsplit(url).hostname or ""
        try:
            ip_address(host)
        except ValueError:
            return True
        return Guard(self.webhook_networks).may_reach(host)


def _check_url(url: str) -> None:
    """Raise ValueError, which does not repeat it, for what is no URL to post to."""
    if len(url) > _MOST_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("this is no URL")
    try:
        parts = urlsplit(url)
        is_complete = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        raise ValueError("this is no URL") from None
    if not is_complete:
        raise ValueError("a URL begins with https:// or http:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL has no user and no password in it")
