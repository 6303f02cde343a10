"""A session belongs to whoever started it; to anybody else it does not exist."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.integration.tokenserver.attacks.conftest import STRICT_CAPACITY
from tests.integration.tokenserver.attacks.people import (
    ADMIN,
    as_user,
    new_user,
    start_as,
    stop_any,
    view_of,
)
from tests.integration.tokenserver.conftest import ADMIN_KEY, CAPACITY, bearer
from tests.integration.tokenserver.test_sessions_api import Started, start, status_of
from tests.support.identity_provider import IdentityProvider

#: Everything that only the owner of a session, or an admin, may do.
CALLS = [
    ("GET", "/api/session/{id}"),
    ("GET", "/api/session/{id}?wait=1"),
    ("GET", "/api/session/{id}/events"),
    ("GET", "/api/session/{id}/logs"),
    ("GET", "/api/session/{id}/transcript"),
    ("GET", "/api/session/{id}/record"),
    ("POST", "/api/session/stop"),
    ("POST", "/api/token"),
]
ADMIN_CALLS = [
    ("GET", "/api/sessions"),
    ("GET", "/api/fleet"),
    ("GET", "/api/fleet/history"),
    ("GET", "/metrics"),
]


async def call(
    http: httpx2.AsyncClient, method: str, path: str, session_id: str, headers: dict[str, str]
) -> httpx2.Response:
    body = {"sessionId": session_id} if method == "POST" else None
    return await http.request(method, path.format(id=session_id), json=body, headers=headers)


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_session_of_another_user_does_not_exist(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider, method: str, path: str
) -> None:
    """Attack 7: eve reads, ends, or refreshes ada's session, with eve's own good token.

    404, byte for byte as for a session that never was; the session goes on as it was.
    """
    session = await start_as(strict_http, as_user(provider, new_user()))
    before = await view_of(strict_http, session["sessionId"])
    eve = as_user(provider, new_user())
    theirs = await call(strict_http, method, path, session["sessionId"], eve)
    nobodys = await call(strict_http, method, path, "0" * 32, eve)
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.content == nobodys.content
    assert await view_of(strict_http, session["sessionId"]) == before
    await stop_any(strict_http, session["sessionId"])


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_the_id_of_a_session_proves_nothing(
    http: httpx2.AsyncClient, clean_slots: Started, method: str, path: str
) -> None:
    """Attack 8: the right id with no secret, a wrong one, or nearly the right one.

    401 and 404, as for a session that never was; the session goes on.
    """
    session = await start(http, clean_slots)
    secret = session["sessionSecret"]
    assert (await call(http, method, path, session["sessionId"], {})).status_code == 401
    for wrong in ("x" * 43, secret[:-1], secret + "x", secret.swapcase()):
        answer = await call(http, method, path, session["sessionId"], bearer(wrong))
        nobodys = await call(http, method, path, "0" * 32, bearer(wrong))
        assert answer.status_code == 404, answer.text
        assert answer.content == nobodys.content
    assert await status_of(http, session) == "starting"


@pytest.mark.parametrize("name", ["sessionSecret", "session_secret", "secret", "access_token"])
async def test_a_secret_in_the_address_is_refused(
    http: httpx2.AsyncClient, clean_slots: Started, name: str
) -> None:
    """Attack 8: the right secret in the query, where logs and histories keep it. Never let in."""
    session = await start(http, clean_slots)
    path, query = f"/api/session/{session['sessionId']}", {name: session["sessionSecret"]}
    assert (await http.get(path, params=query)).status_code == 400
    for more in ("events", "logs", "transcript", "record"):
        answer = await http.get(f"{path}/{more}", params=query)
        assert answer.status_code in {400, 401}


@pytest.mark.parametrize(
    "key",
    [
        "",
        "wrong",
        ADMIN_KEY[:-1],
        ADMIN_KEY + "x",
        ADMIN_KEY.upper(),
        "\u00e4" * 20,
        "None",
        "null",
    ],
    ids=["empty", "wrong", "prefix", "longer", "upper case", "not ASCII", "None", "null"],
)
@pytest.mark.parametrize(("method", "path"), ADMIN_CALLS)
async def test_only_the_admin_key_is_the_admin_key(
    http: httpx2.AsyncClient, method: str, path: str, key: str
) -> None:
    """Attack 14: a wrong admin key, the beginning of the right one, an empty one. 401."""
    header = {b"Authorization": f"Bearer {key}".strip().encode("latin-1")}
    assert (await http.request(method, path, headers=header)).status_code == 401
    assert (await http.request(method, path, headers=ADMIN)).status_code == 200


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer None", "Bearer null", "Basic Og"])
async def test_without_an_admin_key_nobody_is_an_admin(
    limited_http: httpx2.AsyncClient, value: str
) -> None:
    """Attack 14: no admin key is set, and an empty one is sent. 401: that is off, not open."""
    for method, path in ADMIN_CALLS:
        answer = await limited_http.request(method, path, headers={"Authorization": value})
        assert answer.status_code == 401, (path, answer.text)


async def test_an_admin_does_not_speak_as_the_user(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Attack 14: with the right admin key, a token for ada's session. Looking gives none.

    `/api/token` says 403; a start in ada's name is another session, and ada's is over. Whoever has
    the session's secret besides is its owner, as ever.
    """
    ada = new_user()
    session = await start_as(strict_http, as_user(provider, ada))
    named = {"sessionId": session["sessionId"]}
    refused = await strict_http.post("/api/token", json=named, headers=ADMIN)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_the_user")
    assert (await view_of(strict_http, session["sessionId"]))["participantToken"] is None
    proved = named | {"sessionSecret": session["sessionSecret"]}
    assert (await strict_http.post("/api/token", json=proved, headers=ADMIN)).status_code == 201
    mine = as_user(provider, ada)
    assert (await strict_http.post("/api/token", json=named, headers=mine)).status_code == 201
    other = await strict_http.post("/api/session/start", json={"userId": ada}, headers=ADMIN)
    assert other.json()["sessionId"] != session["sessionId"]
    assert (await view_of(strict_http, session["sessionId"]))["status"] in {"ending", "ended"}
    await stop_any(strict_http, other.json()["sessionId"])


async def test_a_place_in_line_of_another_user_does_not_exist(
    http: httpx2.AsyncClient, clean_slots: Started
) -> None:
    """Attack 37: polling, following and cancelling a place in line with another one's secret.

    404; the place is still the owner's, and so is the slot that it becomes.
    """
    for _ in range(CAPACITY):
        await start(http, clean_slots)
    waiting: list[dict[str, Any]] = []
    for _ in range(2):
        answer = await http.post("/api/session/start")
        assert answer.status_code == 202
        waiting.append(answer.json())
        clean_slots.append(answer.json())
    first, second = waiting
    for method, path in CALLS:
        other = bearer(second["sessionSecret"])
        answer = await call(http, method, path, first["sessionId"], other)
        assert answer.status_code == 404, answer.text
    place = await http.get(
        f"/api/session/{first['sessionId']}", headers=bearer(first["sessionSecret"])
    )
    assert (place.json()["status"], place.json()["queue"]["position"]) == ("queued", 1)


async def test_a_place_in_line_of_another_user_cannot_be_cancelled(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Attack 37: the same with the tokens of two users. 404; ada still waits."""
    filling = [await start_as(strict_http, ADMIN) for _ in range(STRICT_CAPACITY)]
    ada, eve = as_user(provider, new_user()), as_user(provider, new_user())
    ticket = (await strict_http.post("/api/session/start", headers=ada)).json()
    assert ticket["status"] == "queued"
    for method, path in CALLS:
        answer = await call(strict_http, method, path, ticket["sessionId"], eve)
        assert answer.status_code == 404
    assert (await view_of(strict_http, ticket["sessionId"]))["status"] == "queued"
    await stop_any(strict_http, ticket["sessionId"])
    for session in filling:
        await stop_any(strict_http, session["sessionId"])
