"""Every error the domain can raise has a status and words for the caller."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from rooms.errors import LiveKitRefused, LiveKitUnavailable
from sessions.errors import NotAdmitted, RateLimited, SessionError
from tokenserver.http.errors import api_error

SESSION_ERRORS = [
    kind
    for kind in [*SessionError.__subclasses__(), *NotAdmitted.__subclasses__()]
    if kind is not NotAdmitted
]
DOMAIN: list[type[Exception]] = [
    *SESSION_ERRORS,
    LiveKitUnavailable,
    LiveKitRefused,
]


@pytest.mark.parametrize("kind", DOMAIN, ids=lambda kind: kind.__name__)
def test_a_domain_error_is_no_internal_error(kind: type[Exception]) -> None:
    answer = api_error(kind("1700 inside" if kind is not RateLimited else "1700"))
    assert answer.status is not HTTPStatus.INTERNAL_SERVER_ERROR
    assert "inside" not in answer.message


@pytest.mark.parametrize("kind", SESSION_ERRORS, ids=lambda kind: kind.__name__)
def test_what_may_be_tried_again_says_when(kind: type[SessionError]) -> None:
    assert (api_error(kind("")).retry_after_s is not None) == kind.retryable


def test_who_starts_too_many_sessions_learns_when_to_come_back() -> None:
    assert api_error(RateLimited("1700")).retry_after_s == 2


def test_an_unplanned_error_tells_nothing() -> None:
    answer = api_error(KeyError("secret"))
    assert answer.status is HTTPStatus.INTERNAL_SERVER_ERROR
    assert "secret" not in answer.message
