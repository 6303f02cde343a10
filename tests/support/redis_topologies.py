"""Redis as it is run elsewhere: with TLS, with users of few rights, watched by Sentinel, a cluster.

Each is a context manager on a `Farm`; all processes of a farm are gone when it is left. Programs
run on leashes, so they also go when the tests are killed.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from devstack.errors import PortTaken, ServiceDied
from devstack.install.tools import REDIS
from devstack.services.ports import LOOPBACK, free_port, is_free
from devstack.services.readiness import Check
from devstack.services.servers import redis_service
from devstack.services.service import Service
from devstack.services.stack import Stack
from devstack.settings import REPO, is_set, load_environment, process_environment
from tests.support.loops import BackgroundLoop
from tests.support.servers import START_ATTEMPTS, program
from tests.support.wait import eventually_sync

DOCUMENTED = REPO / "docs" / "redis.md"
SERVICE = "voicefleet"
PASSWORD = "hunter2/hunter2"
QUOTED_PASSWORD = "hunter2%2Fhunter2"
#: What a node adds to its port for the other nodes of a cluster.
_BUS_OFFSET = 10_000
_BELOW_OUTGOING = 32_768
_SLOTS = 16_384
_CLUSTER = {
    "cluster-enabled": "yes",
    "cluster-node-timeout": "5000",
    "repl-diskless-sync-delay": "0",
}


class _Accepts(Check):
    """Sentinel knows no QUIT, so the usual question would not come to an end."""

    async def __call__(self) -> None:
        _, writer = await asyncio.open_connection(LOOPBACK, int(self.url.split(":")[2][:-2]))
        writer.close()


class Server:
    """One redis-server process; it may be killed, frozen, and started again as it was."""

    def __init__(self, loop: BackgroundLoop, service: Service, port: int) -> None:
        self.port = port
        self._loop = loop
        self._service = service
        self._stack = Stack([service])

    @property
    def url(self) -> str:
        return self._service.url

    @property
    def pid(self) -> int:
        return self._stack.pids["redis"]

    def start(self) -> None:
        """Start it, and wait until it answers. Raises PortTaken, ServiceDied."""
        self._stack = Stack([self._service])
        self._loop.run(self._stack.start())

    def stop(self) -> None:
        """Stop it in good order, if it runs."""
        self._loop.run(self._stack.stop())

    def kill(self) -> None:
        """Kill it as the kernel would, and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep it from running for a while; its sockets stay open."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    @contextmanager
    def admin(self) -> Iterator[Redis]:
        """A plain client, for what tests do to a server behind the store's back."""
        never = Retry(NoBackoff(), 0)
        with Redis(host=LOOPBACK, port=self.port, decode_responses=True, retry=never) as client:
            yield client


def command(client: Redis, *words: str | int) -> Any:  # noqa: ANN401 - as Redis answers
    """Run a command for which the client library has no types."""
    return client.execute_command(*words)  # type: ignore[no-untyped-call]


class Farm:
    """Starts servers in folders of their own."""

    def __init__(self, loop: BackgroundLoop, folder: Path) -> None:
        self.folder = folder
        self._loop = loop
        self._program = program(REDIS)
        self._servers: list[Server] = []

    def server(
        self,
        *more: str,
        is_durable: bool = False,
        options: Mapping[str, str] | None = None,
        is_cluster: bool = False,
    ) -> Server:
        """Start a server with further options, as on its command line."""
        for attempt in range(1, START_ATTEMPTS + 1):
            port = _cluster_port() if is_cluster else free_port()
            server = Server(
                self._loop,
                self._describe(port, [*more, *_flags(options or {})], is_durable=is_durable),
                port,
            )
            self._servers.append(server)
            try:
                server.start()
            except PortTaken:
                if attempt == START_ATTEMPTS:
                    raise
            else:
                return server
        raise AssertionError("not reached")

    def _describe(self, port: int, more: list[str], *, is_durable: bool) -> Service:
        service = redis_service(
            self._program,
            port=port,
            run_dir=self.folder / str(port),
            env=process_environment(),
            is_durable=is_durable,
        )
        command = service.command
        return replace(service, command=replace(command, argv=(*command.argv, *more)))

    def sentinel(self, master_port: int, options: Mapping[str, str] | None = None) -> Server:
        """Start a sentinel that promotes a replica when the master was silent for a second."""
        port = free_port()
        service = self._describe(port, [], is_durable=False)
        conf = self.folder / f"sentinel-{port}.conf"
        conf.write_text(
            "".join(f"{name} {value}\n" for name, value in (options or {}).items())
            + f"port {port}\nbind {LOOPBACK}\ndir {self.folder}\n"
            f"sentinel monitor {SERVICE} {LOOPBACK} {master_port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 1000\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )
        command = replace(service.command, argv=(str(self._program), str(conf), "--sentinel"))
        server = Server(
            self._loop, replace(service, command=command, ready=_Accepts(service.url)), port
        )
        self._servers.append(server)
        server.start()
        return server

    def stop(self) -> None:
        for server in self._servers:
            server.stop()


def is_master(server: Server) -> bool:
    """Say whether a server takes writes, as it sees it."""
    with server.admin() as admin:
        return bool(command(admin, "INFO", "replication")["role"] == "master")


@contextmanager
def farm(folder: Path) -> Iterator[Farm]:
    """Servers for the length of a block."""
    with BackgroundLoop() as loop:
        servers = Farm(loop, folder)
        try:
            yield servers
        finally:
            servers.stop()


@dataclass(frozen=True, kw_only=True)
class Replicated:
    """A master, and the replica that takes its place."""

    url: str
    master: Server
    replica: Server


@dataclass(frozen=True, kw_only=True)
class Watched(Replicated):
    """The same, and the sentinel that watches them."""

    sentinel: Server


@dataclass(frozen=True, kw_only=True)
class Cluster(Replicated):
    """The same, and the masters that have other slots."""

    others: Sequence[Server]


def watched(servers: Farm) -> Watched:
    """Start a master with a password, a replica that has caught up, and a sentinel."""
    master = servers.server(is_durable=True, options={"repl-diskless-sync-delay": "0"})
    replica = servers.server(is_durable=True, options={"replicaof": f"{LOOPBACK} {master.port}"})
    with replica.admin() as admin:
        eventually_sync(
            lambda: command(admin, "INFO", "replication")["master_link_status"] == "up",
            message="the replica has caught up",
        )
    sentinel = servers.sentinel(master.port)
    with sentinel.admin() as admin:
        eventually_sync(
            lambda: command(admin, "SENTINEL MASTER", SERVICE)["num-slaves"] == 1,
            message="the sentinel knows the replica",
        )
    url = f"redis+sentinel://{LOOPBACK}:{free_port()},{LOOPBACK}:{sentinel.port}/{SERVICE}"
    return Watched(url=url, master=master, replica=replica, sentinel=sentinel)


def cluster(servers: Farm) -> str:
    """Start a cluster of masters that share the slots; return its URL."""
    return _cluster_url(_masters(servers, _CLUSTER))


def replicated_cluster(servers: Farm, key: str, *, node_timeout_ms: int) -> Cluster:
    """Start a cluster of which the master that will have a key has a replica.

    A master that is silent for so long has failed.
    """
    options = _CLUSTER | {"cluster-node-timeout": str(node_timeout_ms)}
    masters = _masters(servers, options)
    with masters[0].admin() as admin:
        place = int(command(admin, "CLUSTER KEYSLOT", key)) * len(masters) // _SLOTS
    replica = servers.server(options=options, is_cluster=True)
    _become_replica(replica, masters[place], masters)
    url, master = _cluster_url(masters), masters.pop(place)
    return Cluster(url=url, master=master, replica=replica, others=masters)


def _masters(servers: Farm, options: Mapping[str, str], size: int = 3) -> list[Server]:
    """Start a cluster of masters, and wait until it has formed; the first has the lowest slots."""
    nodes = [servers.server(options=options, is_cluster=True) for _ in range(size)]
    for place, node in enumerate(nodes):
        first, behind = -(-place * _SLOTS // size), -(-(place + 1) * _SLOTS // size)
        with node.admin() as admin:
            command(admin, "CLUSTER SET-CONFIG-EPOCH", place + 1)
            command(admin, "CLUSTER ADDSLOTS", *range(first, behind))
            command(admin, "CLUSTER MEET", LOOPBACK, nodes[0].port)
    eventually_sync(
        lambda: all(_is_whole(node, size) for node in nodes), message="the cluster has formed"
    )
    return nodes


def _cluster_url(nodes: Sequence[Server]) -> str:
    return "redis+cluster://" + ",".join(f"{LOOPBACK}:{node.port}" for node in nodes)


def _become_replica(replica: Server, master: Server, voters: Sequence[Server]) -> None:
    """Let a node be the replica of a master; return when it has caught up.

    All masters know of it then: they will have to vote for it.
    """
    with master.admin() as there, replica.admin() as here:
        master_id = command(there, "CLUSTER MYID")
        command(here, "CLUSTER MEET", LOOPBACK, master.port)
        eventually_sync(lambda: _mentions(replica, master_id) == 1, message="it knows its master")
        command(here, "CLUSTER REPLICATE", master_id)
        eventually_sync(
            lambda: command(here, "INFO", "replication")["master_link_status"] == "up",
            message="the replica has caught up",
        )
    eventually_sync(
        # Once as a node, once as the master of the other.
        lambda: all(_mentions(one, master_id) == 2 for one in voters),
        message="all masters know the replica",
    )


def _mentions(node: Server, node_id: str) -> int:
    """Return how often a node of a cluster names another one."""
    with node.admin() as admin:
        return str(command(admin, "CLUSTER NODES")).count(node_id)


def _is_whole(node: Server, size: int) -> bool:
    with node.admin() as admin:
        info = command(admin, "CLUSTER INFO")
        return info["cluster_state"] == "ok" and len(command(admin, "CLUSTER SLOTS")) == size


@dataclass(frozen=True, kw_only=True)
class _Tls:
    """What a server needs to speak TLS beside plain text."""

    port: int
    certificates: Path

    @property
    def options(self) -> dict[str, str]:
        return {
            "tls-port": str(self.port),
            "tls-cert-file": str(self.certificates / "server.crt"),
            "tls-key-file": str(self.certificates / "server.key"),
            "tls-ca-cert-file": str(self.certificates / "ca.crt"),
            "tls-auth-clients": "no",
        }

    @property
    def query(self) -> str:
        return f"ssl_ca_certs={self.certificates / 'ca.crt'}"


def encrypted(servers: Farm) -> str:
    """Start a server that speaks TLS, with a certificate of a new authority; return its URL."""
    tls = _Tls(port=free_port(), certificates=_certificates(servers.folder))
    _start_encrypted(servers, tls)
    return f"rediss://{LOOPBACK}:{tls.port}/0?{tls.query}"


def encrypted_cluster(servers: Farm) -> str:
    """Start a cluster of one that speaks TLS; return its URL."""
    tls = _Tls(port=_cluster_port(), certificates=_certificates(servers.folder))
    options = {"cluster-enabled": "yes", "tls-cluster": "yes"}
    node = _start_encrypted(servers, tls, options=options)
    with node.admin() as admin:
        command(admin, "CLUSTER ADDSLOTS", *range(_SLOTS))
    eventually_sync(lambda: _is_whole(node, 1), message="the cluster has formed")
    return f"rediss+cluster://{LOOPBACK}:{tls.port}?{tls.query}"


def encrypted_sentinel(servers: Farm) -> str:
    """Start a master and a sentinel that speak TLS; return their URL."""
    tls = _Tls(port=free_port(), certificates=_certificates(servers.folder))
    master = _start_encrypted(servers, tls)
    watcher = replace(tls, port=free_port(avoid=[tls.port]))
    options = {**watcher.options, "tls-replication": "yes"}
    sentinel = servers.sentinel(tls.port, options)
    with sentinel.admin() as admin:
        eventually_sync(
            lambda: "down" not in command(admin, "SENTINEL MASTER", SERVICE)["flags"],
            message="the sentinel reaches the master",
        )
    assert master.port != tls.port
    return f"rediss+sentinel://{LOOPBACK}:{watcher.port}/{SERVICE}?{tls.query}"


def _start_encrypted(
    servers: Farm, tls: _Tls, *, options: Mapping[str, str] | None = None
) -> Server:
    """Start a server with TLS; skip the test (fail it in CI) where the program cannot do that."""
    try:
        return servers.server(options={**tls.options, **(options or {})})
    except ServiceDied as error:
        if "tls" not in error.log_tail:
            raise
    message = "this redis-server was built without TLS"
    if is_set(load_environment(), "CI"):
        pytest.fail(message)
    pytest.skip(message)


def _certificates(folder: Path) -> Path:
    """Make an authority and a certificate for loopback that it signed."""
    openssl = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    (folder / "leaf.cnf").write_text(
        f"subjectAltName=IP:{LOOPBACK}\nauthorityKeyIdentifier=keyid\nbasicConstraints=CA:FALSE\n"
    )
    authority = (
        *(*openssl, "-subj", "/CN=tests", "-keyout", "ca.key", "-out", "ca.crt"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    request = (
        *("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=redis"),
        *("-keyout", "server.key", "-out", "server.csr"),
    )
    signing = (
        *("openssl", "x509", "-req", "-in", "server.csr", "-out", "server.crt", "-days", "2"),
        *("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "leaf.cnf"),
    )
    for command in (authority, request, signing):
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


def documented_users() -> list[str]:
    """Return the ACL lines that docs/redis.md tells to use, for our password and prefixes vf-*."""
    found = re.search(r"<!-- acl -->\n```\n(.*?)```", DOCUMENTED.read_text("utf-8"), re.DOTALL)
    assert found, "docs/redis.md shows no ACL lines"
    lines = found[1].replace("PASSWORD", PASSWORD).replace("~{vf}:*", "~{vf-*}:*")
    return lines.splitlines()


def restricted(servers: Farm) -> str:
    """Start a server on which only the documented user may do anything; return its URL."""
    server = servers.server()
    with server.admin() as admin:
        # The line for `default` comes last: it shuts the door behind this connection.
        for line in sorted(documented_users(), key=lambda line: line.startswith("user default")):
            command(admin, "ACL SETUSER", *line.split()[1:])
    with server.admin() as stranger, pytest.raises(RedisError):
        stranger.ping()
    return f"redis://voicefleet:{QUOTED_PASSWORD}@{LOOPBACK}:{server.port}/0"


def _flags(options: Mapping[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", *value.split())]


def _cluster_port() -> int:
    """Return a free port whose partner for the cluster bus is free, too."""
    for _ in range(1000):
        port = free_port()
        if port + _BUS_OFFSET < _BELOW_OUTGOING and is_free(port + _BUS_OFFSET):
            return port
    raise PortTaken("no pair of free ports for a cluster node")
