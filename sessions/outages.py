"""Which providers' models are left alone just now. Workers write it: worker/voice/outages.py."""

from __future__ import annotations

from dataclasses import dataclass

from sessions.engine import Engine
from sessions.scripts import translated_errors

#: A fleet has a handful of models that another one steps in for; more are not looked at.
_MODELS_LOOKED_AT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A model that is down. Times in ms since 1970, by Redis's clock."""

    #: What it does, where, and which one: "llm api.example.com/some-model".
    name: str
    since_ms: int
    #: Nobody tries it before; None once the next call does.
    until_ms: int | None
    #: How often in a row it was tried in vain.
    failures: int


async def read_outages(engine: Engine) -> list[Outage]:
    """Return what is down, by name. Raises StoreUnavailable."""
    keys, now_ms = engine.keys, await engine.now()
    with translated_errors():
        listed = await engine.redis.hgetall(keys.outages)
        models = sorted(str(model) for model in listed)[:_MODELS_LOOKED_AT]
        pipeline = engine.redis.pipeline(transaction=False)
        for model in models:
            pipeline.get(keys.outage(model))
            pipeline.pttl(keys.outage_wait(model))
        rows = await pipeline.execute() if models else []
    found = []
    for model, failures, left_ms in zip(models, rows[::2], rows[1::2], strict=True):
        if failures is None:
            continue  # nobody has asked it for long: whether it is down is not known any more
        since, _, name = str(listed[model]).partition(" ")
        found.append(
            Outage(
                name=name,
                since_ms=int(since),
                until_ms=now_ms + int(left_ms) if left_ms > 0 else None,
                failures=int(failures),
            )
        )
    return sorted(found, key=lambda outage: outage.name)
