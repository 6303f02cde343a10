"""What one stack is made of: ports, keys, directories and the environment of its services."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import DevstackError
from devstack.services.keys import Keys
from devstack.services.ports import LOOPBACK, Ports
from devstack.settings import REPO, is_set

DEFAULTS = {
    "AGENT_NAME": "voicefleet",
    "POOL_SIZE": "3",
    # Whoever presses Ctrl-C on a developer's machine does not want to wait for calls to end.
    "DRAIN_TIMEOUT_S": "5",
    # Of localvoice: a busy laptop that has to understand three people at once takes its time.
    "PROVIDER_TIMEOUT_S": "30",
}


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """`env` is the environment of the person who runs the stack, `.env` included.

    `web_dir` has the pages that were built for it, if any were. The services are those that
    `python` finds from `home`: the checkout's, or those of a wheel that was installed elsewhere.
    """

    run_dir: Path
    ports: Ports
    keys: Keys
    env: Mapping[str, str] = field(repr=False)
    web_dir: Path | None = None
    python: Path = Path(sys.executable)
    home: Path = REPO

    @property
    def redis_url(self) -> str:
        """Where Redis listens."""
        return f"redis://{LOOPBACK}:{self.ports.redis}/0"

    @property
    def livekit_url(self) -> str:
        """Where livekit-server listens."""
        return f"ws://{LOOPBACK}:{self.ports.livekit}"

    @property
    def api_url(self) -> str:
        """Where the token server listens."""
        return f"http://{LOOPBACK}:{self.ports.tokenserver}"

    @property
    def worker_url(self) -> str:
        """Where the worker tells how it is."""
        return f"http://{LOOPBACK}:{self.ports.worker}"

    @property
    def localvoice_url(self) -> str:
        """Where the speech models of this machine listen."""
        return f"http://{LOOPBACK}:{self.ports.localvoice}"

    @property
    def web_url(self) -> str | None:
        """Where the pages are: those that were built, or yours; None: there are none."""
        return self.api_url if self.web_dir or is_set(self.env, "WEB_DIR") else None

    @property
    def admin_key(self) -> str:
        """The token server's admin key: yours, or the generated one."""
        return self.env.get("ADMIN_API_KEY") or self.keys.admin_key

    @property
    def localvoice_key(self) -> str | None:
        """The key that localvoice asks for; None: it is open."""
        return self.env["LOCALVOICE_API_KEY"] if is_set(self.env, "LOCALVOICE_API_KEY") else None

    @property
    def drain_timeout_s(self) -> int:
        """How long calls may go on when the worker is told to stop."""
        text = self.env.get("DRAIN_TIMEOUT_S") or DEFAULTS["DRAIN_TIMEOUT_S"]
        try:
            return int(text)
        except ValueError:
            raise DevstackError(f"DRAIN_TIMEOUT_S={text} is no number of seconds.") from None

    @property
    def has_own_provider(self) -> bool:
        """Say whether the agent speaks with a provider that you named instead of localvoice."""
        return is_set(self.env, "OPENAI_API_KEY") or is_set(self.env, "OPENAI_BASE_URL")
