"""Connections to the providers of a process's calls: one pool for each server and key.

What comes back is bounded in answers.py. Three things happen to each request on its way, by the
hook that the SDK has for it:

- It waits no longer for the next byte than its model may stay silent. The plugin waits 30 s for
  speech recognition and for speech, whatever it is told (livekit-plugins-openai 1.8.9).
- A model that is known to be down is not asked at all, see outages.py.
- One that has just been silent for all its time is not asked a second time.
"""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Callable
from typing import Any

import httpx2
from openai import APIConnectionError, APITimeoutError, AsyncClient

from worker.voice.answers import ASKED, ON_SILENCE, check
from worker.voice.settings import Endpoint

_CONNECT_S = 5.0
#: The framework asks again after 0.1 s whatever went wrong. A model that was silent for all its
#: time is not waited for twice.
_AGAIN_S = 1.0


class LeftAlone(APIConnectionError):
    """Raised instead of asking a model that is known to be down."""


class StillSilent(APITimeoutError):
    """Raised instead of asking a model again that has just been silent for all its time."""


class ModelClient(AsyncClient):
    """The SDK's client for one model; its connections are those of the server."""

    def __init__(
        self,
        endpoint: Endpoint,
        http: httpx2.AsyncClient,
        *,
        patience_s: float,
        may_ask: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(
            api_key=endpoint.api_key.get_secret_value(),
            base_url=endpoint.base_url,
            max_retries=0,
            http_client=http,
        )
        self._patience_s = patience_s
        self._may_ask = may_ask
        #: Until then whoever asks again does so because the model stayed silent.
        self._silent_until = float("-inf")

    async def request(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's own
        """Ask, as the SDK does, and remember where the model said nothing."""
        try:
            return await super().request(*args, **options)
        except APITimeoutError as error:
            if error.request.method == "POST" and not isinstance(error, StillSilent):
                self._note_silence()
            raise

    def _note_silence(self) -> None:
        self._silent_until = time.monotonic() + _AGAIN_S

    async def _prepare_request(self, request: httpx2.Request) -> None:
        timeouts = request.extensions.get("timeout", {})
        for name in ("connect", "read", "write", "pool"):
            longest = timeouts.get(name)
            timeouts[name] = min(longest or self._patience_s, self._patience_s)
        request.extensions["timeout"] = timeouts
        # Looking at the list of models only opens a connection: no answer would be told of.
        if request.method != "POST":
            return
        request.extensions |= {ASKED: request.url.path, ON_SILENCE: self._note_silence}
        if not self._may_ask():
            raise LeftAlone(message="Known to be down.", request=request)
        if time.monotonic() < self._silent_until:
            raise StillSilent(request=request)


@functools.cache
def trust() -> ssl.SSLContext:
    """Return which authorities providers are certified by: those that httpx2 goes by.

    Reading the certificates takes 40 ms, longer than all else of a client: job processes have them
    from the process that they are forked from (job/preload.py). Others at the same path are read
    when the worker starts the next time. Raises OSError.
    """
    return httpx2.create_ssl_context()


class Connections:
    """HTTP clients, one for each server and key, shared by all calls of a process."""

    def __init__(self) -> None:
        self._https: dict[tuple[str, str], httpx2.AsyncClient] = {}

    def http(self, endpoint: Endpoint) -> httpx2.AsyncClient:
        """Return the connections to a server; makes none yet."""
        key = (endpoint.base_url, endpoint.api_key.get_secret_value())
        if key not in self._https:
            self._https[key] = self._build()
        return self._https[key]

    async def aclose(self) -> None:
        """Close all connections."""
        for http in self._https.values():
            await http.aclose()

    def _build(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            verify=trust(),
            timeout=httpx2.Timeout(30.0, connect=_CONNECT_S),
            follow_redirects=True,
            # People pause for longer than the 5 s that idle connections live by default.
            limits=httpx2.Limits(max_keepalive_connections=8, keepalive_expiry=120),
            event_hooks={"response": [check]},
        )
