"""Every error the domain can raise has a status and words for the caller."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from rooms.errors import LiveKitRefused, LiveKitUnavailable
from sessions.errors import SessionError
from tokenserver.errors import api_error

DOMAIN: list[type[Exception]] = [
    *SessionError.__subclasses__(),
    LiveKitUnavailable,
    LiveKitRefused,
]


@pytest.mark.parametrize("kind", DOMAIN, ids=lambda kind: kind.__name__)
def test_a_domain_error_is_no_internal_error(kind: type[Exception]) -> None:
    answer = api_error(kind("detail that stays inside"))
    assert answer.status is not HTTPStatus.INTERNAL_SERVER_ERROR
    assert "inside" not in answer.message


@pytest.mark.parametrize("kind", SessionError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_what_may_be_tried_again_says_when(kind: type[SessionError]) -> None:
    assert (api_error(kind("")).retry_after_s is not None) == kind.retryable


def test_an_unplanned_error_tells_nothing() -> None:
    answer = api_error(KeyError("secret"))
    assert answer.status is HTTPStatus.INTERNAL_SERVER_ERROR
    assert "secret" not in answer.message
