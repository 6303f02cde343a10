"""Replays the instructions of a Dockerfile, stage by stage, each in a room of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import BuildFailed
from devstack.images.context import Context, copy_from_context, copy_from_stage
from devstack.images.dockerfile import (
    Dockerfile,
    Instruction,
    NotUnderstood,
    Stage,
    assignments,
    expanded,
    healthcheck_of,
)
from devstack.images.layers import Layer, layer_between, snapshot
from devstack.images.room import PATH, Room, furnish, pip_packages
from devstack.install.steps import StepFailed, run_step
from devstack.terminal import Terminal

#: What tells clients of registries where to ask and whom to trust.
OF_REGISTRIES = ("PIP_", "UV_", "npm_config_", "NPM_CONFIG_", "SSL_CERT_")
OF_NETWORKS = frozenset(
    {"NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    | {name for one in ("http_proxy", "https_proxy", "no_proxy") for name in (one, one.upper())}
)
CONFIGURATION = (".npmrc", ".config/pip", ".config/uv", ".pip")
"""Below the home directory: the same, in files."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """What a Dockerfile makes, as a folder."""

    name: str
    root: Path
    env: Mapping[str, str]
    workdir: str
    user: str
    entrypoint: tuple[str, ...]
    healthcheck: tuple[str, ...]
    volumes: tuple[str, ...]
    layers: tuple[Layer, ...]


@dataclass(kw_only=True)
class _Work:
    """A stage on its way."""

    root: Path
    arguments: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    workdir: str = "/"
    user: str = "0:0"
    layers: list[Layer] = field(default_factory=list)


class Builder:
    """Builds the stages of one Dockerfile below a folder."""

    def __init__(
        self,
        dockerfile: Dockerfile,
        context: Context,
        folder: Path,
        env: Mapping[str, str],
        terminal: Terminal,
    ) -> None:
        self._dockerfile = dockerfile
        self._context = context
        self._folder = folder
        self._env = env
        self._terminal = terminal
        self._roots: dict[str, Path] = {}

    def build(self) -> Image:
        """Do it. Raises `BuildFailed` with the output of the step that failed, `NotUnderstood`."""
        for number, stage in enumerate(self._dockerfile.stages):
            work = self._build_stage(number, stage)
        image = self._dockerfile.image
        entrypoint, check = image.last("ENTRYPOINT"), healthcheck_of(image)
        if entrypoint is None or entrypoint.exec_form is None or check is None:
            raise NotUnderstood(f"{self._dockerfile.name}: no ENTRYPOINT or HEALTHCHECK as a list")
        return Image(
            name=self._dockerfile.name.rpartition(".")[2],
            root=work.root,
            env=work.env,
            workdir=work.workdir,
            user=work.user,
            entrypoint=entrypoint.exec_form,
            healthcheck=check,
            volumes=tuple(path for one in image.all("VOLUME") for path in one.exec_form or ()),
            layers=tuple(work.layers),
        )

    def _build_stage(self, number: int, stage: Stage) -> _Work:
        if stage.base in self._roots:
            raise NotUnderstood(f"{self._dockerfile.name}: FROM a stage is not replayed here")
        work = _Work(root=self._folder / f"{number}-{stage.name or 'image'}")
        furnish(work.root)
        _make_places(work.root, pip_packages() | self._configuration())
        self._roots[stage.name or str(number)] = work.root
        before = snapshot(work.root)
        for one in stage.instructions:
            self._take(one, work)
            if one.word in {"RUN", "COPY", "WORKDIR"}:
                after = snapshot(work.root)
                work.layers.append(layer_between(f"{one.word} {one.rest}", before, after))
                before = after
        return work

    def _take(self, one: Instruction, work: _Work) -> None:
        values = work.arguments | work.env
        match one.word:
            case "ARG":
                work.arguments |= assignments(one, values)
            case "ENV":
                work.env |= assignments(one, values)
            case "WORKDIR":
                work.workdir = expanded(one.rest, values)
                (work.root / work.workdir.strip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                work.user = one.rest
            case "COPY":
                self._copy(one, values, work)
            case "RUN":
                self._run(one, values, work)

    def _copy(self, one: Instruction, values: Mapping[str, str], work: _Work) -> None:
        *sources, target = (expanded(word, values) for word in one.rest.split())
        if origin := one.flag("from"):
            if origin not in self._roots:
                raise NotUnderstood(f"{self._dockerfile.name}:{one.line}: no stage {origin} before")
            copy_from_stage(self._roots[origin], sources, target, work.root, work.workdir)
        else:
            copy_from_context(self._context, sources, target, work.root, work.workdir)

    def _run(self, one: Instruction, values: Mapping[str, str], work: _Work) -> None:
        caches = self._caches(one)
        _make_places(work.root, caches)
        shared = pip_packages() | self._configuration() | caches
        room = Room(root=work.root, workdir=work.workdir, user=work.user, shared=shared)
        argv = one.exec_form or ("/bin/sh", "-c", one.rest)
        env = {"HOME": "/root", **self._of_registries(), **values}
        name = f"{self._dockerfile.name.rpartition('.')[2]}:{one.line}"
        try:
            seconds = run_step(self._terminal, name, "running", room.command(argv), env)
        except StepFailed as error:
            raise BuildFailed(
                f"{self._dockerfile.name}:{one.line} failed: {one.rest}", log_tail=error.log_tail
            ) from None
        self._terminal.step(name, "ok", seconds, _shortened(one.rest))

    def _of_registries(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self._env.items()
            if name.startswith(OF_REGISTRIES) or name in OF_NETWORKS
        }

    def _configuration(self) -> dict[str, Path]:
        home = Path(self._env.get("HOME") or "/root")
        return {f"/root/{name}": home / name for name in CONFIGURATION if (home / name).exists()}

    def _caches(self, one: Instruction) -> dict[str, Path]:
        """Return this machine's caches, in place of those of `--mount=type=cache`."""
        home = Path(self._env.get("HOME") or "/root")
        ours = {"/root/.cache/uv": Path(self._env.get("UV_CACHE_DIR") or home / ".cache/uv")}
        found = {}
        for name, value in one.flags:
            options = dict(option.partition("=")[::2] for option in value.split(","))
            if name != "mount" or options.get("type") != "cache":
                raise NotUnderstood(f"{self._dockerfile.name}:{one.line}: --{name}={value}")
            target = options["target"]
            path = ours.get(target, home / target.removeprefix("/root/"))
            path.mkdir(parents=True, exist_ok=True)
            found[target] = path
        return found


def _make_places(root: Path, shared: Mapping[str, Path]) -> None:
    """Make what the machine's folders and files are mounted on."""
    for at, path in shared.items():
        place = root / at.strip("/")
        (place if path.is_dir() else place.parent).mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            place.touch()


def _shortened(command: str, width: int = 70) -> str:
    return command if len(command) <= width else f"{command[: width - 1]}…"


def owned_by(folder: Path, user: str) -> None:
    """Give a folder to a user, "uid:gid"."""
    uid, _, gid = user.partition(":")
    os.chown(folder, int(uid), int(gid or uid))
