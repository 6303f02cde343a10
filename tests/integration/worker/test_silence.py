"""All that all services write in a whole call, at the level DEBUG: whose it is, and no secret."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis

from devstack.install.tools import REDIS
from devstack.services.ports import LOOPBACK, Ports
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.servers import redis_service
from devstack.services.service import Service
from devstack.settings import REPO, process_environment
from sessions.states import State
from tests.integration.worker.fleet import CALL_S, EXIT_S, Fleet
from tests.integration.worker.house import BACK, House, join, open_house
from tests.integration.worker.talking import until_said
from tests.support.identity_provider import AUDIENCE, ISSUER, ec_key, running_provider
from tests.support.replicas import ADMIN_KEY
from tests.support.servers import (
    LiveKitServer,
    RedisServer,
    neutral_environment,
    program,
    running,
    running_livekit,
)
from tests.support.speech import speak
from tests.support.wait import eventually

pytestmark = [pytest.mark.timeout(500), pytest.mark.usefixtures("nothing_before")]

USER = "ada.lovelace@example.org"
PASSWORD = "redis-password-4711"
PROVIDER_KEY = "provider-key-4711"
WRONG_KEY = "a-key-that-is-wrong-4711"
IDEMPOTENCY_KEY = "idempotency-key-4711"
ABSENT = str(REPO / "tests" / "support" / "absent")
#: The parts that only the private half of a key has.
SIGNING_KEY = str(ec_key().as_dict(private=True)["d"])
SPOKEN = "What is seven plus five?"
TYPED = ("Please say purple elephants dance.", "What time is it in Reykjavik?")
LATER = "What is 30 plus four?"
#: Of what is said, which nobody would log by chance.
WORDS = ("seven plus five", "purple elephants", "reykjavik", "plus four")
WHOSE = {"session_id", "room", "job_id", "worker_id", "epoch"}
#: The framework's, before it has asked us anything.
OFFERED = "received job request"
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that everything is written to."""
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def redis_server(outputs: Path) -> Iterator[RedisServer]:
    """One that wants a password."""

    def describe(ports: Ports) -> list[Service]:
        env = process_environment()
        binary = program(REDIS)
        return [redis_service(binary, port=ports.redis, run_dir=outputs, env=env, is_durable=False)]

    with running(describe) as (stack, ports):
        with Redis(port=ports.redis) as admin:
            admin.config_set("requirepass", PASSWORD)
        url = f"redis://:{PASSWORD}@{LOOPBACK}:{ports.redis}/0"
        yield RedisServer(url=url, port=ports.redis, pid=stack.pids["redis"])


@pytest.fixture(scope="module")
def livekit_server(outputs: Path) -> Iterator[LiveKitServer]:
    with running_livekit(outputs) as server:
        yield server


@pytest.fixture(scope="module")
def localvoice_url(outputs: Path) -> Iterator[str]:
    """Speech models that tell all they can."""

    def describe(ports: Ports) -> list[Service]:
        url = f"http://{LOOPBACK}:{ports.localvoice}"
        command = Command(
            name="localvoice",
            argv=(sys.executable, "-m", "localvoice", "--port", str(ports.localvoice)),
            env=neutral_environment()
            | {"LOCALVOICE_QUEUE_TIMEOUT_S": "60", "LOCALVOICE_LOG_LEVEL": "DEBUG"},
            log=outputs / "localvoice.log",
            cwd=REPO,
        )
        return [
            Service(command=command, url=url, ready=http_ok(f"{url}/readyz"), ready_within_s=120)
        ]

    with running(describe) as (stack, _):
        yield stack.services[0].url


@dataclass
class Story:
    """What was used in a call, and what of it must never be written."""

    session_id: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    #: What the API shows of the session's own log.
    log: str = ""
    agent_pids: list[int] = field(default_factory=list)


@asynccontextmanager
async def supervising(house: House, outputs: Path) -> AsyncIterator[None]:
    """Supervise from a process of its own."""
    env = {**house.server.env, "SUPERVISOR_PORT": "0"}
    with (outputs / "supervisor.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "supervisor"),
            cwd=REPO,
            env=env,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        yield
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(EXIT_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def live(house: House, user_token: str, localvoice_url: str) -> Story:
    """Tell a call from start to end, with an agent that is killed in between."""
    story = Story()
    headers = {"Authorization": f"Bearer {user_token}", "Idempotency-Key": IDEMPOTENCY_KEY}
    answers = [await house.http.post("/api/session/start", json={}, headers=headers) for _ in "12"]
    started = answers[0].raise_for_status().json()
    assert answers[1].json()["sessionId"] == started["sessionId"]
    proof = {name: started[name] for name in ("sessionId", "sessionSecret")}
    story.session_id, story.secrets["session"] = proof["sessionId"], proof["sessionSecret"]
    story.secrets |= {f"join {n}": one.json()["participantToken"] for n, one in enumerate(answers)}
    async with join(started) as caller:
        await caller.wait_greeting(CALL_S)
        await caller.say(await speak(localvoice_url, SPOKEN))
        await caller.wait_answer(CALL_S)
        for sentence in TYPED:
            heard = len(caller.lines)
            await caller.type(sentence)

            async def is_answered(heard: int = heard) -> bool:
                return any(one.speaker == "agent" for one in caller.lines[heard:])

            await eventually(is_answered, CALL_S, message=sentence)
        first = await house.until(started, State.ACTIVE)
        os.kill(first.agent_pid or 0, signal.SIGKILL)
        await until_said(caller, BACK)
        await caller.type(LATER)
        await until_said(caller, "34")
        second = await house.until(started, State.ACTIVE, epoch=2)
        story.agent_pids = [first.agent_pid or 0, second.agent_pid or 0]
        await look_around(house, story, proof)
        story.said = [line.text for line in caller.lines] + [SPOKEN, *TYPED, LATER]
        await house.stop(started)
    await house.until(started, State.ENDED, epoch=2)
    log = f"/api/session/{story.session_id}/logs"
    bearer = {"Authorization": f"Bearer {proof['sessionSecret']}"}

    async def is_told() -> bool:
        story.log = (await house.http.get(log, headers=bearer)).raise_for_status().text
        return "call over" in story.log

    await eventually(is_told, CALL_S, interval_s=0.5)
    return story


async def look_around(house: House, story: Story, proof: dict[str, str]) -> None:
    """Ask all there is to ask, with proofs that are good and one that is not."""
    own = {"Authorization": f"Bearer {proof['sessionSecret']}"}
    token = (await house.http.post("/api/token", json=proof)).raise_for_status().json()
    story.secrets["second token"] = token["participantToken"]
    for what in ("", "/logs", "/transcript", "/record"):
        path = f"/api/session/{story.session_id}{what}"
        (await house.http.get(path, headers=own)).raise_for_status()
    paths = ("/api/sessions", f"/api/sessions/{story.session_id}", "/api/fleet", "/metrics")
    for path in paths:
        (await house.http.get(path, headers=house.admin)).raise_for_status()
        wrong = {"Authorization": f"Bearer {WRONG_KEY}"}
        assert (await house.http.get(path, headers=wrong)).status_code in {401, 403}
    asked = await house.http.get("/api/fleet", params={"token": WRONG_KEY})
    assert asked.status_code >= 400


async def test_a_whole_call_writes_no_secret_and_no_word_and_says_whose_lines_are(
    fleet: Fleet,
    redis_server: RedisServer,
    localvoice_url: str,
    outputs: Path,
) -> None:
    """1. A user who is known by token starts, twice with one key, joins, speaks and types. 2. The
    agent is killed, and another one goes on. 3. Everything is asked by its owner and by admins, and
    with a wrong key. 4. The session is stopped, then everything.

    Result: nothing that any process wrote has a secret, a token or a sentence; each line of a job
    says whose it is; and nothing of ours wanted OpenTelemetry, without which all this went.
    """
    async with AsyncExitStack() as cleanup:
        provider = await cleanup.enter_async_context(running_provider())
        provider.publish(ec_key())
        fleet.logs = outputs
        house = await open_house(
            fleet,
            redis_server,
            outputs,
            cleanup,
            # The framework needs it, but not what of ours uses it.
            of_server={"ABSENT_MODULES": "opentelemetry telemetry.otlp"},
            ABSENT_MODULES="telemetry.otlp",
            PYTHONPATH=ABSENT,
            AUTH_AUDIENCE=AUDIENCE,
            AUTH_ISSUER=ISSUER,
            AUTH_JWKS_URL=provider.url,
            AUTH_MODE="jwt",
            ISOLATION="process",
            LOG_LEVEL="DEBUG",
            OPENAI_API_KEY=PROVIDER_KEY,
            POOL_SIZE="2",
            SUPERVISE="false",
        )
        user_token = provider.token(ec_key(), claims={"sub": USER})
        async with supervising(house, outputs):
            story = await live(house, user_token, localvoice_url)
        house.worker.process.terminate()
        assert await house.worker.exit_status() == 0
        house.server.signal()
        assert await house.server.exit_status() == 0
    story.secrets |= {
        "user token": user_token,
        "signing key": SIGNING_KEY,
        "admin key": ADMIN_KEY,
        "wrong key": WRONG_KEY,
        "idempotency key": IDEMPOTENCY_KEY,
        "provider key": PROVIDER_KEY,
        "redis password": PASSWORD,
        "livekit secret": fleet.server.api_secret,
    }
    texts = written(outputs) | {"api": story.log}
    assert len(texts) == 7, list(texts)
    found = found_in(texts, story)
    assert not found, "\n".join(map(str, found))
    nameless = nameless_lines(texts, story)
    assert not nameless, "\n".join(map(str, nameless))


def written(outputs: Path) -> dict[str, str]:
    """Return all that was written, by file."""
    return {path.name: path.read_text() for path in outputs.rglob("*.log")}


def found_in(texts: dict[str, str], story: Story) -> list[tuple[str, str, str]]:
    """Return what of a story stands in which text, with its line."""
    wanted = {name: value.lower() for name, value in story.secrets.items()}
    wanted |= {text: text.lower() for text in {*story.said, *WORDS} if len(text) >= 8}
    # Of a token its signature alone would do harm, too.
    wanted |= {
        f"{name}, signature": value.rsplit(".", 1)[1]
        for name, value in list(wanted.items())
        if value.startswith("eyj")
    }
    found = [
        (where, name, line[:900])
        for where, text in texts.items()
        for line in text.splitlines()
        for name, value in wanted.items()
        if value in line.lower()
    ]
    return found + [
        (where, "a token", line[:900])
        for where, text in texts.items()
        for line in text.splitlines()
        if _TOKEN.search(line)
    ]


def nameless_lines(texts: dict[str, str], story: Story) -> list[tuple[set[str], str]]:
    """Return lines of jobs that do not say whose they are, with what is missing."""
    found = []
    seen = set()
    for name, text in texts.items():
        records = [json.loads(line) for line in text.splitlines() if line.startswith('{"')]
        for record in records if name.startswith("worker") else []:
            missing = WHOSE - set(record)
            if record["message"] == OFFERED:
                missing -= {"epoch"}
            if "job_id" in record and missing:
                found.append((missing, str(record)[:900]))
            if "worker_id" in record and record.get("pid") in story.agent_pids:
                seen.add((record.get("epoch"), record["pid"]))
    assert seen >= {(1, story.agent_pids[0]), (2, story.agent_pids[1])}
    return found
