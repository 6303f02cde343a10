"""One server for all tests that need no settings of their own, and clients for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator

import httpx2
import openai
import pytest

from tests.integration.localvoice.server import Server, running
from tests.integration.localvoice.sounds import Spoken
from tests.support.plain import NO_TLS

_LOG_LINES = 60


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server with default settings."""
    with running() as started:
        yield started


@pytest.fixture
async def client(server: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own client, which repeats nothing."""
    async with openai.AsyncOpenAI(
        api_key="unused", base_url=server.api, max_retries=0, timeout=60
    ) as made:
        yield made


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx2.AsyncClient]:
    """A bare client, for what OpenAI's would never send."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=60, verify=NO_TLS) as made:
        yield made


@pytest.fixture(scope="session")
def spoken(server: Server) -> Spoken:
    """Says things with the server's own voice; each sentence is made once."""
    return Spoken(server.api)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the server's last lines beside a failure."""
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and isinstance(server, Server):
        lines = server.log().splitlines()[-_LOG_LINES:]
        report.sections.append(("localvoice log", "\n".join(lines)))
    return report
