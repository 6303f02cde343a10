"""One attempt to deliver, to receivers on real sockets that do what they like."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_network

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from notices.address import Guard
from notices.delivery import Courier, Endpoint, Outcome, Result
from notices.message import Message
from tests.support import receiver as behaviours
from tests.support.odd_server import Answer, says
from tests.support.receiver import receiving

KEY = 32 * b"k"
LOOPBACK = [ip_network("127.0.0.0/8")]
MESSAGE = Message(id="session_1_2", type="session.ended", at_ms=1_000, data={"name": "Ada é"})
#: Far more than a machine that is busy needs to answer on loopback.
PATIENT_S = 30.0
#: Waited out by each test with a receiver that never comes to an end.
HASTY_S = 0.4


def courier(
    url: str,
    *,
    guard: Guard | None = None,
    timeout_s: float = PATIENT_S,
    resolver: Callable[[], AbstractResolver] | None = None,
) -> Courier:
    return Courier(
        Endpoint(url=url, secrets=(KEY,)),
        guard or Guard(LOOPBACK),
        timeout_s=timeout_s,
        resolver=resolver,
        clock=lambda: 1_700_000_000.9,
    )


async def test_a_message_comes_with_the_signature_of_the_spec() -> None:
    """The receiver makes the signature anew, from what it got and the secret."""
    async with receiving() as receiver:
        outcome = await courier(receiver.url).send(MESSAGE)
    assert outcome == Outcome(result=Result.DELIVERED, reason="status_200")
    (post,) = receiver.posts
    assert (post.method, post.path) == ("POST", "/hook/s3cret-path")
    assert post.headers["content-type"] == "application/json"
    assert post.headers["webhook-id"] == "session_1_2"
    assert post.headers["webhook-timestamp"] == "1700000000"
    signed = b"session_1_2.1700000000." + post.body
    digest = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert post.headers["webhook-signature"] == f"v1,{digest}"
    assert json.loads(post.body)["data"] == {"name": "Ada é"}


#: What a receiver does, what comes of it, and why.
ANSWERS: dict[str, tuple[Answer, Result, str]] = {
    "success without a body": (says(204), Result.DELIVERED, "status_204"),
    "any success": (says(299), Result.DELIVERED, "status_299"),
    "success and 10 GB": (behaviours.huge_body, Result.DELIVERED, "status_200"),
    "no such thing": (says(400), Result.REFUSED, "status_400"),
    "not here": (says(404), Result.REFUSED, "status_404"),
    "no more": (says(410), Result.GONE, "status_410"),
    "you were slow": (says(408), Result.FAILED, "status_408"),
    "broken": (says(500), Result.FAILED, "status_500"),
    "closed in a header": (behaviours.half_a_header, Result.FAILED, "ServerDisconnectedError"),
    "no HTTP": (behaviours.no_http, Result.FAILED, "ClientResponseError"),
    "endless headers": (behaviours.endless_headers, Result.FAILED, "ClientResponseError"),
    "an endless line": (behaviours.endless_line, Result.FAILED, "ClientResponseError"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_what_comes_of_an_answer(name: str) -> None:
    behaviour, result, reason = ANSWERS[name]
    async with receiving(behaviour) as receiver:
        outcome = await courier(receiver.url).send(MESSAGE)
    assert outcome == Outcome(result=result, reason=reason)
    assert len(receiver.posts) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7", 7.0), ("1000000000", 1e9), ("-1", None), ("soon", None), ("9" * 400, None)],
)
async def test_who_wants_to_be_left_alone_says_for_how_long(
    text: str, expected: float | None
) -> None:
    for status in (429, 503):
        async with receiving(says(status, Retry_After=text)) as receiver:
            outcome = await courier(receiver.url).send(MESSAGE)
        assert (outcome.result, outcome.retry_after_s) == (Result.FAILED, expected)


@pytest.mark.parametrize(
    "behaviour", [behaviours.never, behaviours.byte_by_byte, behaviours.endless_hints]
)
async def test_who_never_comes_to_an_end_is_given_up(behaviour: Answer) -> None:
    async with receiving(behaviour) as receiver:
        outcome = await courier(receiver.url, timeout_s=HASTY_S).send(MESSAGE)
    assert outcome == Outcome(result=Result.FAILED, reason="timeout")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_nobody_is_sent_elsewhere(status: int) -> None:
    """Not to the metadata of a cloud, not to our own API, though that is on a network of ours."""
    async with receiving() as ours:
        for target in ("http://169.254.169.254/latest/meta-data", ours.url, "//localhost/x"):
            async with receiving(says(status, Location=target)) as receiver:
                outcome = await courier(receiver.url).send(MESSAGE)
            assert outcome == Outcome(result=Result.FAILED, reason=f"status_{status}")
    assert ours.connections == 0


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    outcome = await courier(f"http://127.0.0.1:{port}/").send(MESSAGE)
    assert outcome == Outcome(result=Result.FAILED, reason="ClientConnectorError")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "[::ffff:7f00:1]"],
)
async def test_loopback_is_not_reached_however_it_is_written(host: str) -> None:
    async with receiving() as receiver:
        url = f"http://{host}:{receiver.port}/"
        assert (await courier(url, guard=Guard()).send(MESSAGE)).result is Result.FAILED
    assert receiver.connections == 0


class Names(AbstractResolver):
    """A DNS server of somebody else's: says something else each time."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._answers.pop(0)
        ]

    async def close(self) -> None:
        """Have nothing to close."""


async def test_a_name_that_leads_to_us_is_not_followed() -> None:
    async with receiving() as receiver:
        url = f"http://evil.example.com:{receiver.port}/"
        names = Names(["127.0.0.1"])
        outcome = await courier(url, guard=Guard(), resolver=lambda: names).send(MESSAGE)
    assert outcome == Outcome(result=Result.FAILED, reason="forbidden_address")
    assert receiver.connections == 0


async def test_a_name_that_changes_its_mind_is_looked_at_each_time() -> None:
    """1. It leads to an address that may be reached. 2. Then to one that may not (DNS rebinding).

    Result: the first message is delivered. The second is not, and nothing is connected to: the
    address that is judged is the one that a socket is made for.
    """
    guard = Guard([ip_network("127.0.0.1/32")])
    async with receiving() as receiver, receiving(host="127.0.0.2", port=receiver.port) as other:
        url = f"http://evil.example.com:{receiver.port}/"
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        one = courier(url, guard=guard, resolver=lambda: names)
        assert (await one.send(MESSAGE)).result is Result.DELIVERED
        outcome = await one.send(MESSAGE)
    assert outcome == Outcome(result=Result.FAILED, reason="forbidden_address")
    assert receiver.connections == 1
    assert other.connections == 0


async def test_of_several_addresses_those_of_ours_are_passed_over() -> None:
    guard = Guard([ip_network("127.0.0.1/32")])
    async with receiving() as receiver, receiving(host="127.0.0.2", port=receiver.port) as other:
        names = Names(["127.0.0.2", "127.0.0.1"])
        url = f"http://two.example.com:{receiver.port}/"
        outcome = await courier(url, guard=guard, resolver=lambda: names).send(MESSAGE)
    assert outcome.result is Result.DELIVERED
    assert (receiver.connections, other.connections) == (1, 0)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await courier(receiver.url).send(MESSAGE)).result is Result.DELIVERED
    assert proxy.connections == 0


async def test_nothing_is_told_of_where_it_goes(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a receiver does: neither the log nor the outcome has its path, or the secret."""
    caplog.set_level(logging.DEBUG)
    told = ""
    for behaviour in (says(500), behaviours.half_a_header, behaviours.no_http, behaviours.never):
        async with receiving(behaviour) as receiver:
            told += repr(await courier(receiver.url, timeout_s=HASTY_S).send(MESSAGE))
    told += repr(await courier("http://nowhere.invalid/s3cret-path").send(MESSAGE))
    told += repr(await courier("http://127.0.0.1:1/s3cret-path", guard=Guard()).send(MESSAGE))
    told += caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert "s3cret-path" not in told
    assert repr(KEY) not in told
