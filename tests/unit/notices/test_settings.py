"""Webhooks that cannot work, or must not, keep a service from starting; none is repeated."""

from __future__ import annotations

import base64

import pytest
from pydantic import ValidationError

from notices.settings import NoticeSettings
from sessions.settings import explain

SECRET = f"whsec_{base64.b64encode(32 * b'k').decode()}"
URL = "https://hooks.example.com/services/T000/B000/XXXXXXXX"


def settings(**given: object) -> NoticeSettings:
    return NoticeSettings.model_validate(given)


def refused(**given: object) -> str:
    with pytest.raises(ValidationError) as error:
        settings(**given)
    told = explain("It", error.value) + str(error.value) + repr(error.value)
    assert not [value for value in given.values() if len(str(value)) > 9 and str(value) in told]
    return told


def test_nobody_is_told_anything_by_default() -> None:
    assert settings().alert_courier() is None
    assert settings().event_courier() is None


def test_what_is_complete_is_taken() -> None:
    told = settings(
        alert_webhook_url=URL,
        alert_webhook_format="slack",
        event_webhook_url=URL,
        event_webhook_secret=f"{SECRET} {SECRET}",
    )
    assert told.alert_courier()
    assert told.event_courier()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example.com/x",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "hooks.example.com/services",
        "https:///services/nowhere",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com:99999/x",
        "https://hooks.example.com/a b c d",
        "https://hooks.example.com/\r\nX: 1",
        "https://[::1/services",
        f"https://hooks.example.com/{'x' * 3000}",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    assert "ALERT_WEBHOOK_URL" in refused(alert_webhook_url=url, alert_webhook_secret=SECRET)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/api/sessions",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:8080/api/sessions",
        "http://[::ffff:10.0.0.1]/internal",
        "http://10.1.2.3/internal/hook",
    ],
)
def test_an_address_of_ours_is_refused_unless_its_network_is_named(url: str) -> None:
    assert "WEBHOOK_NETWORKS" in refused(event_webhook_url=url, event_webhook_secret=SECRET)
    named = ["127.0.0.0/8", "169.254.0.0/16", "::1/128", "10.0.0.0/8"]
    assert settings(
        event_webhook_url=url, event_webhook_secret=SECRET, webhook_networks=named
    ).event_courier()


def test_signed_ones_need_a_secret() -> None:
    assert "ALERT_WEBHOOK_SECRET" in refused(alert_webhook_url=URL)
    assert "EVENT_WEBHOOK_SECRET" in refused(event_webhook_url=URL)
    refused(event_webhook_url=URL, event_webhook_secret="whsec_c2hvcnQ=")


def test_secrets_are_in_no_repr() -> None:
    told = settings(alert_webhook_url=URL, alert_webhook_secret=SECRET)
    courier = told.alert_courier()
    assert courier is not None
    shown = repr(told) + str(told) + repr(courier) + repr(vars(courier))
    assert "XXXXXXXX" not in shown
    assert SECRET not in shown
    assert repr(32 * b"k") not in shown
