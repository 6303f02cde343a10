"""Containers are recognised by their first bytes, and only a few are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvoice.audio.decoding import decode, sniff_container
from localvoice.audio.transcriber import language_code
from localvoice.errors import ApiError


@pytest.mark.parametrize(
    ("data", "container"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"\x1a\x45\xdf\xa3....", "matroska"),
        (b"OggS\0\x02", "ogg"),
        (b"fLaC\0\0", "flac"),
        (b"\0\0\0\x1cftypM4A ", "mov"),
        (b"ID3\x04", "mp3"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf1\x50\x80", None),
        (b"#EXTM3U\n", None),
        (b"ffconcat version 1.0", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_containers(data: bytes, container: str | None) -> None:
    assert sniff_container(data) == container


def heard(data: bytes) -> object:
    """The samples or the refusal; anything else escapes."""
    try:
        return decode(data, max_audio_s=60, cancelled=lambda: False)
    except ApiError as error:
        return error


@given(
    st.sampled_from([b"RIFF\xff\xff\xff\xffWAVEfmt ", b"OggS", b"fLaC", b"ID3\x04\0", b"\xff\xfb"]),
    st.binary(max_size=400),
)
def test_any_bytes_are_sound_or_a_clear_error(start: bytes, rest: bytes) -> None:
    result = heard(start + rest)

    if isinstance(result, ApiError):
        assert (result.status, result.param) in {(400, "file"), (413, "file")}


@pytest.mark.parametrize("name", ["en", "EN", "en-GB", "en_us", "English", " en "])
def test_english(name: str) -> None:
    assert language_code(name, frozenset({"en"})) == "en"


def test_other_languages_need_another_model() -> None:
    with pytest.raises(ApiError, match="it knows: en"):
        language_code("de", frozenset({"en"}))
    assert language_code("de-AT", frozenset({"en", "de"})) == "de"
