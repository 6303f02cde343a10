"""The built pages: ways out of their folder, pages that frame them, caches that keep too much."""

from __future__ import annotations

import secrets

import httpx2
import pytest

from tests.integration.tokenserver.attacks.people import (
    ADMIN,
    as_user,
    new_user,
    start_as,
    stop_any,
)
from tests.integration.tokenserver.attacks.wire import spoken, status_of
from tests.integration.tokenserver.conftest import TokenServer
from tests.support.builds import FONT_NAME, INDEX, SCRIPT_NAME
from tests.support.identity_provider import IdentityProvider

#: What is on the disk, and in no answer: of tests/support/builds.py, and of every machine.
CANARIES = (b"not-to-be-served", b"secret.ts", b"[core]", b"root:")
PAGES = ("/", "/console")
FILES = (
    *PAGES,
    f"/assets/{SCRIPT_NAME}",
    f"/assets/{FONT_NAME}",
    "/embed/voicefleet-call.js",
    "/favicon.svg",
)


async def ask(server: TokenServer, target: str, *headers: str) -> bytes:
    lines = [f"GET {target} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
    return await spoken(server.url, "\r\n".join(lines).encode("latin-1"))


@pytest.mark.parametrize(
    "target",
    [
        "/../.env",
        "/assets/../.env",
        "/assets/../../../../../../etc/passwd",
        "/assets/..%2f.env",
        "/assets/%2e%2e/.env",
        "/assets/%2e%2e%2f.env",
        "/assets/%252e%252e%252f.env",
        "/assets/..%c0%af.env",
        "/assets/....//.env",
        "/assets\\..\\.env",
        "/assets/..;/.env",
        "//etc/passwd",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/console/../.env",
        "/console%00.js",
        f"/assets/{SCRIPT_NAME}%00.map",
        "/embed/../../../../etc/passwd",
        "/embed/voicefleet-call.js/../../.env",
        "file:///etc/passwd",
        "/?file=../../etc/passwd",
    ],
)
async def test_no_address_leads_out_of_the_pages(strict: TokenServer, target: str) -> None:
    """Attack 30: `..`, escapes of it, other slashes, NUL: a file beside or above the pages.

    404 (or 400); only a query changes nothing. No part of a path ever reaches the disk.
    """
    answer = await ask(strict, target)
    assert status_of(answer) in ({200} if target.startswith("/?") else {400, 404}), answer
    assert not [canary for canary in CANARIES if canary in answer]


@pytest.mark.parametrize(
    "path",
    [
        "/.env",
        "/.git/config",
        "/assets",
        "/assets/",
        f"/assets/{SCRIPT_NAME}.map",
        f"/assets/{SCRIPT_NAME}.gz",
        "/index.html",
        "/console/",
        "/embed/",
    ],
)
async def test_a_folder_of_pages_shows_nothing_but_pages(strict: TokenServer, path: str) -> None:
    """Attack 34: dotfiles, source maps and lists of files, which lie in the folder. 404."""
    answer = await ask(strict, path, f"Authorization: {ADMIN['Authorization']}")
    assert status_of(answer) == 404
    assert not [canary for canary in CANARIES if canary in answer]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_not_framed_and_runs_nothing_of_others(
    strict_http: httpx2.AsyncClient, path: str
) -> None:
    """Attack 31: another site frames a page to have its buttons clicked, or gets a script into it.

    No frame; no inline script, no `eval`, no host but LiveKit's. A 304 says the same: browsers
    take over its headers for what they have kept.
    """
    first = await strict_http.get(path)
    again = await strict_http.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    for answer in (first, again):
        assert answer.headers["X-Frame-Options"] == "DENY"
        policy = dict(
            part.strip().split(" ", 1)
            for part in answer.headers["Content-Security-Policy"].split(";")
        )
        assert policy["frame-ancestors"] == policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["base-uri"] == policy["form-action"] == "'none'"
        sources = " ".join(policy.values()).split()
        assert not [source for source in sources if "unsafe" in source or source == "*"]
        hosts = {source.partition("://")[2] for source in sources if "://" in source}
        assert len(hosts) == 1
        assert hosts.pop().startswith("127.0.0.1:")


async def test_what_other_sites_load_is_one_script(strict_http: httpx2.AsyncClient) -> None:
    """Attack 31: another site loads our files to learn of them, or uses our pages as its own.

    Only the script that is made for other sites may be loaded by them (RFC 9110 knows no such
    header; it is the Fetch Standard's `Cross-Origin-Resource-Policy`); to read it takes CORS.
    """
    for path in FILES:
        answer = await strict_http.get(path, headers={"Origin": "https://evil.example"})
        is_for_others = path.startswith("/embed/")
        policy = answer.headers["Cross-Origin-Resource-Policy"]
        assert policy == ("cross-origin" if is_for_others else "same-site"), path
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_page_is_the_same_for_everybody(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Attack 31: a cache keeps a page that was made for somebody, and shows it to others.

    Nothing is: whatever proofs and cookies come along, the same bytes, and no cookie is set.
    """
    user = as_user(provider, new_user())
    for path in FILES:
        plain = await strict_http.get(path)
        for proof in (ADMIN, user, {"Cookie": f"session={secrets.token_hex(8)}"}):
            other = await strict_http.get(path, headers=proof)
            assert (other.content, other.headers["ETag"]) == (plain.content, plain.headers["ETag"])
            assert "Set-Cookie" not in other.headers
    assert INDEX.encode() == (await strict_http.get("/")).content


async def test_no_answer_is_kept_for_how_its_address_ends(
    strict: TokenServer, strict_http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Attack 31: an admin or a user is sent to an address that a cache takes for a page's file.

    What is told to somebody is never kept, and no such address tells anything.
    """
    user = as_user(provider, new_user())
    session = await start_as(strict_http, user)
    path = f"/api/session/{session['sessionId']}"
    for told in (
        await strict_http.get(path, headers=user),
        await strict_http.get(path, headers=user | {"If-None-Match": "*"}),
        await strict_http.get("/api/sessions", headers=ADMIN),
        await strict_http.get("/api/options"),
    ):
        assert (told.status_code, told.headers["Cache-Control"]) == (200, "no-store")
    for proof, base in ((user, path), (ADMIN, "/api/sessions"), (ADMIN, "/api/fleet/history")):
        for end in ("/x.js", ".css", "%2fx.js", ";x.js", "%00.js", "%3f/assets/x.js", "/..;/x.js"):
            answer = await ask(strict, base + end, f"Authorization: {proof['Authorization']}")
            assert status_of(answer) == 404, (base + end, answer)
            assert b"cache-control: no-store" in answer.lower()
    for start in ("/assets/..", "/assets/%2e%2e", "/assets/..%2f", "/console/.."):
        answer = await ask(strict, start + path, f"Authorization: {user['Authorization']}")
        assert status_of(answer) == 404
        assert b"cache-control: no-store" in answer.lower()
    await stop_any(strict_http, session["sessionId"])
