"""The clients where users are known by their tokens, and resume sessions in other tabs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

import pytest

from tests.integration.client.node import NodeClient
from tests.support.identity_provider import (
    AUDIENCE,
    ISSUER,
    IdentityProvider,
    ec_key,
    running_provider,
)
from tests.support.replicas import Replicas
from tests.support.web import Scripts
from voicefleet_client import ApiError, Voicefleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """A server with AUTH_MODE=jwt, and clients of its users."""

    url: str
    provider: IdentityProvider
    cleanup: AsyncExitStack

    async def tab(self, user: str | None) -> Voicefleet:
        """Return a client of a user, or of nobody."""
        token = None if user is None else self.token(user)
        return await self.cleanup.enter_async_context(Voicefleet(self.url, token=token))

    def token(self, user: str) -> str:
        return self.provider.token(ec_key(), claims={"sub": user})


@pytest.fixture
async def users(replicas: Replicas) -> AsyncIterator[Users]:
    async with AsyncExitStack() as cleanup:
        provider = await cleanup.enter_async_context(running_provider())
        provider.publish(ec_key())
        server = await replicas.start(
            AUTH_MODE="jwt",
            AUTH_ISSUER=ISSUER,
            AUTH_AUDIENCE=AUDIENCE,
            AUTH_JWKS_URL=provider.url,
            AUTH_KEYS_TIMEOUT_S="10",
        )
        yield Users(url=server.url, provider=provider, cleanup=cleanup)


async def test_the_first_tab_goes_on_after_another_one_resumed(users: Users) -> None:
    """1. Ada starts. 2. She starts in another tab: it is the same session, with another secret.

    Result: the first tab asks as Ada, whatever it asks for. With the secret alone it could not.
    """
    ada = await users.tab("ada")
    first = await ada.start()
    second = await (await users.tab("ada")).start()
    assert (first.id, first.secret != second.secret) == (second.id, True)

    assert first.secret is not None
    nobody = (await users.tab(None)).session(first.id, first.secret)
    with pytest.raises(ApiError) as refused:
        await nobody.view()
    assert refused.value.code == "session_not_found"

    for ask in (first.view, first.fresh_token, first.logs, first.transcript, first.record):
        await ask()
        # The same with a handle that has not learnt it yet.
        await getattr(ada.session(first.id, first.secret), ask.__name__)()
    for handle in (first, ada.session(first.id, first.secret)):
        async with aclosing(handle.follow()) as views:
            assert (await anext(views)).status == "starting"
    assert (await first.stop()).status == "ended"
    assert (await second.view()).status == "ended"


async def test_another_user_gets_no_further_with_an_old_secret(users: Users) -> None:
    first = await (await users.tab("ada")).start()
    await (await users.tab("ada")).start()
    thief = (await users.tab("bob")).session(first.id, first.secret)
    for ask in (thief.view, thief.fresh_token, thief.stop, thief.follow().__anext__):
        with pytest.raises(ApiError) as refused:
            await ask()
        assert (refused.value.status, refused.value.code) == (404, "session_not_found")


async def test_a_user_needs_no_secret(users: Users) -> None:
    """A page that was loaded again may know no more than the id."""
    ada = await users.tab("ada")
    session_id = (await ada.start()).id
    again = ada.session(session_id)
    assert (await again.view()).status == "starting"
    assert (await again.fresh_token()).participant_token
    async with aclosing(again.follow()) as views:
        assert (await anext(views)).session_id == session_id
    assert (await again.stop()).is_over
    with pytest.raises(ApiError) as refused:
        await (await users.tab(None)).session(session_id).view()
    assert (refused.value.status, refused.value.code) == (401, "unauthorized")


async def test_a_fresh_token_is_asked_for_with_the_secret(users: Users) -> None:
    """Whose token the client has makes no difference, nor whether it has one at all."""
    session = await (await users.tab("ada")).start()
    for user in ("bob", None):
        with_secret = (await users.tab(user)).session(session.id, session.secret)
        assert (await with_secret.fresh_token()).participant_token
    with pytest.raises(ApiError) as refused:
        await (await users.tab("bob")).session(session.id).fresh_token()
    assert refused.value.code == "session_not_found"


async def test_the_typescript_client_does_the_same(users: Users, scripts: Scripts) -> None:
    """1. Ada starts, and starts in another tab. 2. She goes on in the first one, in Node.js.

    Result: it asks as Ada; bob and nobody get no further with the old secret. Where the secret is
    good, it is the proof, whoever asks. Leaving does not stop what goes on in the other tab.
    """
    first = await (await users.tab("ada")).start()
    second = await (await users.tab("ada")).start()
    node = NodeClient(scripts, users.url)
    old = {"id": first.id, "secret": first.secret}
    for wish in (old, old | {"token": users.token("bob")}):
        for what in ("view", "freshToken", "follow", "stop"):
            error = (await node.do(what, **wish))["error"]
            assert (error["status"], error["code"]) == (404, "session_not_found"), what
    ada = old | {"token": users.token("ada")}
    assert (await node.do("view", **ada))["value"]["status"] == "starting"
    assert (await node.do("freshToken", **ada))["value"]["participantToken"]
    assert len((await node.do("follow", **ada, views=1))["views"]) == 1
    assert (await node.do("view", **ada | {"secret": None}))["value"]["sessionId"] == first.id
    good = {"id": second.id, "secret": second.secret, "token": users.token("bob")}
    assert (await node.do("freshToken", **good))["value"]["participantToken"]
    assert (await node.do("leave", **ada))["error"] is None
    assert (await second.view()).status == "starting"
    assert (await node.do("stop", **ada))["value"]["status"] == "ended"
