"""What becomes of a file: type, packed form, validators; and what is asked of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.support.builds import FONT, INDEX, SCRIPT, make_build
from tokenserver.pages.content import MEDIA_TYPES, Content
from tokenserver.pages.folder import served_files
from tokenserver.pages.policy import content_security_policy, headers_of, livekit_sources
from tokenserver.pages.routes import is_known, takes_gzip


def test_text_is_packed_once_and_comes_out_as_it_was() -> None:
    content = Content.of_bytes(".js", SCRIPT.encode())
    assert content.packed is not None
    assert content.packed.encoding == "gzip"
    assert len(content.packed.body) < len(SCRIPT) / 4
    assert gzip.decompress(content.packed.body) == SCRIPT.encode() == content.plain.body


@pytest.mark.parametrize(
    ("suffix", "body"), [(".woff2", FONT), (".html", b"<p>Hello"), (".js", b"")]
)
def test_what_does_not_shrink_is_left(suffix: str, body: bytes) -> None:
    assert Content.of_bytes(suffix, body).packed is None


def test_each_form_has_a_strong_validator_of_its_own() -> None:
    """Replicas have the same ones for the same bytes, and others for others."""
    one, same = (Content.of_bytes(".html", INDEX.encode()) for _ in range(2))
    other = Content.of_bytes(".html", INDEX.encode() + b"\n")
    assert one == same
    assert one.packed is not None
    assert other.packed is not None
    tags = [one.plain.etag, one.packed.etag, other.plain.etag, other.packed.etag]
    assert len(set(tags)) == 4
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)


def test_every_kind_of_file_of_a_build_has_its_type(tmp_path: Path) -> None:
    for file in served_files(make_build(tmp_path / "dist")).values():
        assert Content.of_file(file).media_type == MEDIA_TYPES[file.suffix]


def test_an_unknown_kind_is_bytes() -> None:
    """Not text, nor a page: a browser is not to run it."""
    assert Content.of_bytes(".exe", b"MZ").media_type == "application/octet-stream"
    assert Content.of_bytes("", b"x").media_type == "application/octet-stream"
    assert Content.of_bytes(".HTML", b"x").media_type == "text/html"


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ([], False),
        ([""], False),
        (["identity"], False),
        (["gzip"], True),
        (["GZip"], True),
        (["gzip, deflate, br, zstd"], True),
        (["br;q=1.0, gzip;q=0.8, *;q=0.1"], True),
        (["gzip;q=0"], False),
        (["gzip; q=0.000, *"], False),
        (["gzip;q=0.001"], True),
        (["*"], True),
        (["*;q=0"], False),
        (["br", "gzip"], True),
        (["xgzip"], False),
    ],
)
def test_who_takes_gzip(accepted: list[str], *, expected: bool) -> None:
    assert takes_gzip(accepted) is expected


@pytest.mark.parametrize(
    ("none_match", "expected"),
    [
        ([], False),
        ([""], False),
        (['"a"'], True),
        (['W/"a"'], True),
        (['"b", "a"'], True),
        (['"b"', 'W/"a"'], True),
        (["*"], True),
        (['"ab"'], False),
        (["a"], False),
    ],
)
def test_who_has_it_already(none_match: list[str], *, expected: bool) -> None:
    assert is_known(none_match, '"a"') is expected


@pytest.mark.parametrize(
    ("url", "sources"),
    [
        ("ws://127.0.0.1:7880", "ws://127.0.0.1:7880 http://127.0.0.1:7880"),
        ("http://livekit", "ws://livekit http://livekit"),
        ("wss://media.example.com", "wss://media.example.com https://media.example.com"),
        (
            "https://media.example.com:8443/rtc?x=1",
            "wss://media.example.com:8443 https://media.example.com:8443",
        ),
        (
            "wss://user:hunter2@media.example.com",
            "wss://media.example.com https://media.example.com",
        ),
        ("ws://[::1]:7880", "ws://[::1]:7880 http://[::1]:7880"),
    ],
)
def test_a_page_may_talk_to_livekit_as_browsers_do(url: str, sources: str) -> None:
    assert livekit_sources(url) == sources
    assert f"connect-src 'self' {sources};" in content_security_policy(url)


def test_what_may_be_kept_and_by_whom() -> None:
    url = "ws://127.0.0.1:7880"
    asset = headers_of("/assets/index-x.js", "text/javascript", url)
    assert asset == {"Cache-Control": "public, max-age=31536000, immutable"}
    assert headers_of("/assets.js", "text/javascript", url) == {"Cache-Control": "no-cache"}
    embed = headers_of("/embed/voicefleet-call.js", "text/javascript", url)
    assert embed == {"Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "cross-origin"}
    for path in ("/", "/console", "/other.html"):
        page = headers_of(path, "text/html", url)
        assert page["Cache-Control"] == "no-cache"
        assert page["Permissions-Policy"].startswith("microphone=(self), camera=()")
        assert ("X-Robots-Tag" in page) is (path == "/console")
