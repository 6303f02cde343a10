"""stub"""

from __future__ import annotations
from dataclasses import dataclass
from enum import StrEnum
from tokenserver.access.settings import AccessSettings
from sessions.batch import Client


class Rule(StrEnum):
    STARTS = "starts"
    TOKENS = "tokens"
    READS = "reads"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    limit: int
    remaining: int
    reset_s: int
    is_allowed: bool


class RateLimits:
    def __init__(self, redis: Client, settings: AccessSettings) -> None: ...
    async def hit(self, rule: Rule, who: str) -> Verdict:
        return Verdict(limit=10, remaining=9, reset_s=1, is_allowed=True)


def rate_headers(verdict: Verdict) -> dict[str, str]:
    return {}
