"""The same verbs through the plain client library: one EVALSHA for each call.

The yardstick for `sessions/batch.py`. It asks what SessionStore asks and reads the answers alike.
"""

from __future__ import annotations

import json
from typing import Any

from redis.asyncio import Redis

from sessions.codec import to_admission, to_reply
from sessions.ids import SessionId, user_digest
from sessions.keys import Keys
from sessions.model import Admission, AgentProcess, Newcomer, Reply, UserPolicy
from sessions.scripts import source, translated_errors
from sessions.settings import StoreSettings


class UnbatchedStore:
    """The three verbs of a cycle."""

    def __init__(self, redis: Redis, settings: StoreSettings) -> None:
        self._script = redis.register_script(source(settings))
        self._keys = Keys(settings.redis_prefix)

    async def admit(self, newcomer: Newcomer, *, policy: UserPolicy) -> Admission:
        """As SessionStore.admit, for a user with a name."""
        if newcomer.user_id is None:
            raise ValueError("the benchmark's users have names")
        fields = ["identity", newcomer.identity, "userId", newcomer.user_id]
        answer = await self._ask(
            "admit",
            newcomer.id,
            fields=fields,
            secretHash=newcomer.secret_hash,
            user=user_digest(newcomer.user_id),
            policy=policy,
            mayWait=False,
        )
        return to_admission(answer)

    async def claim(self, session_id: SessionId, epoch: int, agent: AgentProcess) -> Reply:
        """As SessionStore.claim."""
        answer = await self._ask(
            "claim",
            session_id,
            epoch=epoch,
            workerId=agent.worker_id,
            agentPid=agent.pid,
            jobId=agent.job_id,
            prewarmed=int(agent.prewarmed),
        )
        return to_reply(answer)

    async def end(self, session_id: SessionId) -> Reply:
        """As SessionStore.end."""
        return to_reply(await self._ask("finish", session_id, outcome="ended", onlyIfLapsed=False))

    async def _ask(self, verb: str, session_id: SessionId, **ask: object) -> dict[str, Any]:
        text = json.dumps({"verb": verb, "id": session_id, **ask})
        with translated_errors():
            answers = await self._script(
                keys=[self._keys.store, self._keys.session(session_id)], args=["", text]
            )
            if isinstance(answers[0], Exception):
                raise answers[0]
        answer: dict[str, Any] = json.loads(answers[0])
        return answer
