"""The fleet of the soak: our servers and two workers, with a link to LiveKit that loses packets."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import yaml

from bench.api_client import reaching
from bench.api_server import running_api
from bench.servers import running
from bench.workers import OURS, until_warm, working
from devstack.services.ports import LOOPBACK, free_port
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.service import Service
from devstack.settings import REPO
from devstack.talk.audio import Sound
from sessions.store import SessionStore
from tests.support.lossy_udp import FRONT, ONLY_BY_LINK, LossyUdp, lossy_udp
from tests.support.provider import Provider, provider
from tests.support.speech import speak

SENTENCES = (
    "What time does the harbour open in the morning?",
    "Could you tell me how to get to the station?",
    "Is there anything else that I should know about it?",
)
ANSWER = "The harbour opens at seven."
#: Whatever says that an agent was lost has its default.
DEFAULTS = (
    "AGENT_LEASE_S",
    "CLAIM_DEADLINE_S",
    "HEARTBEAT_INTERVAL_S",
    "RECONCILE_INTERVAL_S",
    "REDISPATCH_LIMIT",
    "REDISPATCH_WINDOW_S",
    "SLOT_GRACE_S",
    "START_LEASE_S",
    "SUSPICION_S",
    "SWEEP_INTERVAL_S",
    "WORKER_HEARTBEAT_S",
    "WORKER_LEASE_S",
)
#: Clients that give up leave requests behind, which the provider would tell of.
_SERVER_LOG = logging.getLogger("aiohttp.server")
_WORKERS = 2
_WARM_EACH = 3
_VOICE_READY_S = 120.0
_HTTP_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Whom the users call, and what shows how it went."""

    http: httpx2.AsyncClient
    livekit_url: str
    store: SessionStore
    link: LossyUdp
    sentences: Sequence[Sound]
    logs: Sequence[Path]


@asynccontextmanager
async def soaked_fleet(
    env: Mapping[str, str], folder: Path, *, loss: float, seed: int
) -> AsyncIterator[Fleet]:
    """Run it until the block is left. Raises ToolMissing, OSError where FRONT cannot be had."""
    _SERVER_LOG.setLevel(logging.CRITICAL)
    sentences = await _spoken(env, folder)
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(provider())
        # An empty value counts as unset, whatever the environment says.
        defaults = dict.fromkeys(DEFAULTS, "")
        name = f"soak-{secrets.token_hex(4)}"
        servers = await stack.enter_async_context(
            running_api({**env, "AGENT_NAME": name}, folder, settings=defaults, rtc=ONLY_BY_LINK)
        )
        port = _media_port(folder)
        link = await stack.enter_async_context(
            lossy_udp(server=(LOOPBACK, port), front=(FRONT, port), loss=loss, seed=seed)
        )
        variables = {**servers.services[-1].command.env, **_models(one)}
        variables["GREETING_CACHE_DIR"] = str(folder / "clips")
        logs = [folder / f"worker-{number}.log" for number in range(_WORKERS)]
        for log in logs:
            worker = working(OURS, variables, agent_name=name, log=log)
            await until_warm(OURS, await stack.enter_async_context(worker), log, _WARM_EACH)
        reach = await stack.enter_async_context(reaching(variables, timeout_s=_HTTP_TIMEOUT_S))
        yield Fleet(
            http=reach.http,
            livekit_url=variables["LIVEKIT_URL"],
            store=reach.store,
            link=link,
            sentences=sentences,
            logs=[folder / "tokenserver.log", *logs],
        )


def _models(one: Provider) -> dict[str, str]:
    """Have a provider hear and say always the same; return what a worker is told of it."""
    one.heard, one.reply = SENTENCES[0], ANSWER
    names = ("OPENAI_BASE_URL", "STT_BASE_URL", "LLM_BASE_URL", "TTS_BASE_URL")
    urls = dict.fromkeys(names, one.url)
    return urls | {"OPENAI_API_KEY": "unset", "POOL_SIZE": str(_WARM_EACH)}


def _media_port(folder: Path) -> int:
    """Return the UDP port that the server was told to take."""
    config = yaml.safe_load((folder / "livekit.yaml").read_text(encoding="utf-8"))
    return int(config["rtc"]["udp_port"])


async def _spoken(env: Mapping[str, str], folder: Path) -> list[Sound]:
    """Have the users' sentences spoken by a server that is gone before anything is measured."""

    def describe() -> Sequence[Service]:
        port = free_port()
        url = f"http://{LOOPBACK}:{port}"
        command = Command(
            name="localvoice",
            argv=(sys.executable, "-m", "localvoice", "--port", str(port)),
            env=env,
            log=folder / "localvoice.log",
            cwd=REPO,
        )
        ready = http_ok(f"{url}/readyz")
        return [Service(command=command, url=url, ready=ready, ready_within_s=_VOICE_READY_S)]

    async with running(describe) as voice:
        return [await speak(voice.services[0].url, sentence) for sentence in SENTENCES]
