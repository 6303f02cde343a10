"""`python -m sessions`: look at the store, bring it to another schema, erase a user."""

from __future__ import annotations

import argparse
import asyncio
import sys

from pydantic import ValidationError

from sessions.connection import Temper, connect
from sessions.errors import SessionError
from sessions.ids import UserId
from sessions.keys import Keys
from sessions.migrations import migrate, schema_of
from sessions.settings import SCHEMA, StoreSettings, explain
from sessions.store import SessionStore


def main(arguments: list[str] | None = None) -> int:
    """Return 0, 1 when the store refused or did not answer, 2 when a setting is wrong."""
    asked = _parser().parse_args(arguments)
    try:
        settings = StoreSettings()
    except ValidationError as error:
        sys.stderr.write(explain("The store", error))
        return 2
    try:
        lines = asyncio.run(_run(asked, settings))
    except SessionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join([*lines, ""]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sessions",
        description="Works on the session store that REDIS_URL and REDIS_PREFIX name.",
    )
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("check", help="say which schema the store has, and what is in it")
    tasks.add_parser("migrate", help="bring the store to this version; stop all services first")
    forget = tasks.add_parser("forget", help="erase everything that is known of a user")
    forget.add_argument("user", help="the userId that sessions were started with")
    return parser


async def _run(asked: argparse.Namespace, settings: StoreSettings) -> list[str]:
    redis, keys = connect(settings, Temper.PATIENT), Keys(settings.redis_prefix)
    try:
        if asked.task == "migrate":
            return await migrate(redis, keys)
        schema = await schema_of(redis, keys)
        if asked.task == "forget":
            return await _forget(SessionStore(redis, settings), UserId(asked.user))
        lines = [f"schema {schema or 'none yet'}, this code: {SCHEMA}"]
        if schema == SCHEMA:
            counts = await SessionStore(redis, settings).views.counts()
            lines += [f"{state}: {count}" for state, count in counts.items() if count]
        return lines
    finally:
        await redis.aclose()


async def _forget(store: SessionStore, user: UserId) -> list[str]:
    ending = await store.conversations.forget(user)
    lines = ["erased; nothing names this user any more"]
    if ending:
        lines.append(f"{len(ending)} live sessions ended; the supervisor closes their rooms")
    return lines


if __name__ == "__main__":
    sys.exit(main())
