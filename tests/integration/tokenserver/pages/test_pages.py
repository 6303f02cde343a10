"""The built pages over HTTP, of a server whose Redis and LiveKit are away."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.integration.tokenserver.attacks.test_production import GOOD
from tests.integration.tokenserver.attacks.wire import spoken
from tests.integration.tokenserver.conftest import ADMIN_KEY, bearer
from tests.integration.tokenserver.pages.conftest import ORIGIN
from tests.support.builds import (
    CONSOLE,
    EMBED,
    FONT,
    FONT_NAME,
    INDEX,
    SCRIPT,
    SCRIPT_NAME,
    make_build,
)
from tests.support.plain import NO_TLS
from tests.support.servers import neutral_environment
from tests.support.wait import eventually

PLAIN = {"Accept-Encoding": "identity"}
FILES = {
    "/": (INDEX.encode(), "text/html; charset=utf-8"),
    "/console": (CONSOLE.encode(), "text/html; charset=utf-8"),
    "/robots.txt": (b"User-agent: *\n", "text/plain; charset=utf-8"),
    f"/assets/{SCRIPT_NAME}": (SCRIPT.encode(), "text/javascript; charset=utf-8"),
    f"/assets/{FONT_NAME}": (FONT, "font/woff2"),
    "/embed/voicefleet-call.js": (EMBED.encode(), "text/javascript; charset=utf-8"),
}
EVERY = pytest.mark.parametrize("path", FILES)
ENDS_WITHIN_S = 60


@pytest.fixture
async def pages(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url, timeout=20, verify=NO_TLS) as client:
        yield client


@EVERY
async def test_a_file_is_served_as_it_is(pages: httpx2.AsyncClient, path: str) -> None:
    body, kind = FILES[path]
    answer = await pages.get(path, headers=PLAIN)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["Content-Type"] == kind
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@EVERY
async def test_whoever_has_it_is_sent_nothing(pages: httpx2.AsyncClient, path: str) -> None:
    """A 304 has the headers of the 200: browsers renew what they keep by them (RFC 9111, 3.2)."""
    for asked in (PLAIN, {"Accept-Encoding": "gzip"}):
        first = await pages.get(path, headers=asked)
        again = await pages.get(path, headers=asked | {"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        own = {"content-length", "content-type", "content-encoding", "date", "x-request-id"}
        assert {k: v for k, v in again.headers.items() if k not in own} == {
            k: v for k, v in first.headers.items() if k not in own
        }
        other = await pages.get(path, headers=asked | {"If-None-Match": '"other"'})
        assert other.status_code == 200


async def test_text_travels_packed_and_has_a_validator_of_its_own(
    pages: httpx2.AsyncClient,
) -> None:
    path = f"/assets/{SCRIPT_NAME}"
    async with pages.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join([piece async for piece in packed.aiter_raw()])
    plain = await pages.get(path, headers=PLAIN)
    assert gzip.decompress(raw) == SCRIPT.encode() == plain.content
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(raw) < len(SCRIPT) / 4
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert packed.headers["Vary"].startswith("Accept-Encoding")
    assert plain.headers["Vary"].startswith("Accept-Encoding")
    # The packed form is not what somebody has who has the plain one.
    crossed = await pages.get(
        path, headers={"Accept-Encoding": "gzip", "If-None-Match": plain.headers["ETag"]}
    )
    assert crossed.status_code == 200


@EVERY
async def test_a_head_tells_what_a_get_would(url: str, path: str) -> None:
    rest = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    head, get = [
        await spoken(url, f"{method} {path} {rest}".encode()) for method in ("HEAD", "GET")
    ]
    assert head.partition(b"\r\n\r\n")[2] == b""
    of_head, of_get = (
        {
            line
            for line in answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
            if not line.startswith((b"x-request-id", b"date"))
        }
        for answer in (head, get)
    )
    assert of_head == of_get


async def test_what_may_be_kept(pages: httpx2.AsyncClient) -> None:
    for path in FILES:
        kept = (await pages.get(path)).headers["Cache-Control"]
        is_hashed = path.startswith("/assets/")
        assert kept == ("public, max-age=31536000, immutable" if is_hashed else "no-cache"), path


@pytest.mark.parametrize("path", ["/", "/console"])
async def test_a_page_loads_itself_and_talks_to_livekit(
    pages: httpx2.AsyncClient, path: str
) -> None:
    headers = (await pages.get(path)).headers
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; media-src 'self' blob:; connect-src 'self' wss://media.example.com "
        "https://media.example.com; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["Permissions-Policy"] == (
        "microphone=(self), camera=(), geolocation=(), display-capture=()"
    )
    assert headers["X-Frame-Options"] == "DENY"
    assert ("X-Robots-Tag" in headers) is (path == "/console")


async def test_the_script_for_other_sites_can_be_loaded_by_them(pages: httpx2.AsyncClient) -> None:
    """Nothing else can; with `crossorigin`, as an integrity needs it, the origins on the list."""
    for path in FILES:
        policy = (await pages.get(path)).headers["Cross-Origin-Resource-Policy"]
        assert policy == ("cross-origin" if path.startswith("/embed/") else "same-site"), path
    answer = await pages.get("/embed/voicefleet-call.js", headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"Accept-Encoding", "Origin"} <= set(answer.headers["Vary"].split(", "))


@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "/console.html",
        "/console/",
        "/assets",
        "/assets/",
        "/assets/other.js",
        f"/assets/{SCRIPT_NAME}.map",
        f"/assets/{SCRIPT_NAME}.gz",
        f"/{SCRIPT_NAME}",
        "/.env",
        "/.git/config",
    ],
)
async def test_all_else_is_not_there(pages: httpx2.AsyncClient, path: str) -> None:
    answer = await pages.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_page_takes_no_other_method(pages: httpx2.AsyncClient) -> None:
    answer = await pages.post("/console")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


async def test_what_is_changed_on_the_disk_is_not_served(
    pages: httpx2.AsyncClient, log: Path
) -> None:
    (log.parent / "dist" / "robots.txt").write_text("Disallow: /\n")
    (log.parent / "dist" / "late.txt").write_text("x")
    assert (await pages.get("/robots.txt")).content == FILES["/robots.txt"][0]
    assert (await pages.get("/late.txt")).status_code == 404


async def test_files_are_no_labels(pages: httpx2.AsyncClient, log: Path) -> None:
    """Two names for all of them, in the metrics as in the log."""
    for path in (*FILES, "/nowhere.js"):
        await pages.get(path, headers={"X-Request-ID": "pages-test"})
    figures = (await pages.get("/metrics", headers=bearer(ADMIN_KEY))).text
    counted = [line for line in figures.splitlines() if "http_requests_total{" in line]
    routes = {line.partition('route="')[2].partition('"')[0] for line in counted}
    assert {"page", "asset", "unknown"} <= routes
    assert not [name for name in routes if "assets" in name or name.endswith(".js")]

    def noted() -> dict[str, str]:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return {
            line["path"]: line["route"] for line in lines if line.get("request_id") == "pages-test"
        }

    async def is_noted() -> bool:
        return len(noted()) == len(FILES) + 1

    await eventually(is_noted)
    assert noted()["/console"] == "page"
    assert noted()[f"/assets/{SCRIPT_NAME}"] == "asset"
    assert noted()["/nowhere.js"] == "unknown"


async def test_a_page_knows_what_may_be_asked_for(pages: httpx2.AsyncClient) -> None:
    """Without Redis, too; the limit is counted by the process then."""
    answer = await pages.get("/api/options")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["RateLimit-Limit"] == "100000"
    known = answer.json()
    assert known.pop("version").count(".") == 2
    assert known == {
        "success": True,
        "persona": "assistant",
        "personas": ["assistant", "interviewer"],
        "authMode": "open",
        "queue": True,
    }


async def test_pages_are_no_part_of_the_contract(pages: httpx2.AsyncClient) -> None:
    paths = (await pages.get("/api/openapi.json")).json()["paths"]
    assert "/api/options" in paths
    assert not {"/", "/console"} & set(paths)


def refused(web_dir: Path) -> str:
    """Start a server that must not; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "tokenserver"],
        env=neutral_environment() | GOOD | {"WEB_DIR": str(web_dir)},
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS_WITHIN_S,
    )
    assert done.returncode == 2, done.stderr
    return done.stderr


def test_a_server_whose_pages_are_not_built_does_not_start(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        told = refused(folder)
        assert "WEB_DIR" in told
        assert "`make run`" in told
        assert "`npm run build` in web/" in told
        assert "Traceback" not in told


def test_a_folder_that_leads_elsewhere_is_no_build(tmp_path: Path) -> None:
    build = make_build(tmp_path / "dist")
    (build / "passwd.txt").symlink_to("/etc/passwd")
    assert "WEB_DIR" in refused(build)
