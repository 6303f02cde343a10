from __future__ import annotations

from tokenserver.access.limits import SETTINGS, Rule, Verdict, rate_headers
from tokenserver.settings import TokenserverSettings


def verdict(*, is_allowed: bool) -> Verdict:
    return Verdict(is_allowed=is_allowed, limit=10, remaining=0, reset_s=7)


def test_a_caller_is_told_what_is_left() -> None:
    assert rate_headers(verdict(is_allowed=True)) == {
        "RateLimit-Limit": "10",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "7",
    }


def test_only_a_refusal_says_when_to_come_back() -> None:
    refused = rate_headers(verdict(is_allowed=False))
    assert refused.pop("Retry-After") == refused["RateLimit-Reset"] == "7"
    assert refused == rate_headers(verdict(is_allowed=True))


def test_every_rule_reads_a_setting_of_its_own_and_no_setting_is_left() -> None:
    fields = TokenserverSettings.model_fields
    limits = {name for name in fields if name.endswith("_limit_per_minute")}
    assert set(SETTINGS) == set(Rule)
    assert sorted(SETTINGS.values()) == sorted(limits)
