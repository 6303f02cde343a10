"""A provider in trouble, for one worker: each of its stages fails by itself, and works again."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from devstack.services.ports import LOOPBACK
from tests.support.fault_proxy import Fault as Wire
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.provider import Provider, Stage, Trouble, provider

#: Shorter than a provider may be silent that has a substitute would show nothing (3 s by default).
SLOW_S = 4.0
#: The names of the stages on the command line, and in the settings of both workers.
STAGES = {"llm": Stage.CHAT, "tts": Stage.SPEECH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong; nothing where there is neither a trouble nor a refusal."""

    name: str
    trouble: Trouble | None = None
    is_refused: bool = False


FAULTS = (
    Fault(name="none"),
    Fault(name="refuse", is_refused=True),
    Fault(name="hang", trouble=Trouble.HANG),
    Fault(name="500", trouble=Trouble.ERROR),
    Fault(name="429", trouble=Trouble.BUSY),
    Fault(name="slow", trouble=Trouble.SLOW),
    Fault(name="cut", trouble=Trouble.CUT),
)
#: Clients that give up leave requests behind, which the server would tell of.
_SERVER_LOG = logging.getLogger("aiohttp.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubledProvider:
    """A scripted provider, reached at another address for each stage."""

    _provider: Provider
    _ways: Mapping[Stage, FaultProxy]

    @property
    def variables(self) -> dict[str, str]:
        """Where the models are, under the names that both workers read."""
        names = {"llm": Stage.CHAT, "stt": Stage.HEARING, "tts": Stage.SPEECH}
        urls = {
            f"{name.upper()}_BASE_URL": f"http://{LOOPBACK}:{self._ways[stage].port}/v1"
            for name, stage in names.items()
        }
        return urls | {"OPENAI_BASE_URL": self._provider.url, "OPENAI_API_KEY": "unset"}

    def will_answer(self, text: str) -> None:
        """Have the language model say this from now on."""
        self._provider.reply = text

    async def fail(self, stage: Stage, fault: Fault) -> None:
        """Be in trouble from now on."""
        if fault.trouble is not None:
            self._provider.trouble[stage] = fault.trouble
        if fault.is_refused:
            await self._ways[stage].switch(Wire.REFUSE)

    async def work(self) -> None:
        """Be well again."""
        self._provider.trouble.clear()
        for way in self._ways.values():
            await way.switch(Wire.PASS)


@asynccontextmanager
async def troubled_provider() -> AsyncIterator[TroubledProvider]:
    """Serve one until the block is left."""
    _SERVER_LOG.setLevel(logging.CRITICAL)
    async with provider() as one:
        # Nobody speaks: what a worker takes for speech all the same is no question.
        one.heard, one.slow_s = "", SLOW_S
        port = urlsplit(one.url).port or 0
        async with fault_proxy(port) as chat, fault_proxy(port) as ears, fault_proxy(port) as mouth:
            ways = {Stage.CHAT: chat, Stage.HEARING: ears, Stage.SPEECH: mouth}
            yield TroubledProvider(_provider=one, _ways=ways)
