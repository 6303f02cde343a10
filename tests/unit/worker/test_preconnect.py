"""What a user said before the agent was there: what is taken for it, and how much of it."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from livekit import rtc

from tests.support.recordings import RATE, packed, tone
from worker.call.preconnect import LONGEST_S, TOPIC, Format, unpack

FORMATS = [("webm", "libopus"), ("ogg", "libopus"), ("mp4", "aac")]


def info(mime_type: str = "audio/webm;codecs=opus", **changed: str) -> rtc.ByteStreamInfo:
    attributes = {"trackId": "TR_1", "sampleRate": "48000", "channels": "1"} | changed
    return rtc.ByteStreamInfo(
        stream_id="s1",
        mime_type=mime_type,
        topic=TOPIC,
        timestamp=0,
        size=None,
        attributes=attributes,
        name="preconnect-buffer",
    )


def seconds(samples: bytes) -> float:
    return len(samples) / 2 / RATE


@pytest.mark.parametrize(("container", "codec"), FORMATS)
def test_what_browsers_record_is_unpacked(container: str, codec: str) -> None:
    samples = np.frombuffer(unpack(packed(tone(2), container, codec)), dtype="<i2")
    assert seconds(samples.tobytes()) == pytest.approx(2, abs=0.1)
    loudest = np.argmax(np.abs(np.fft.rfft(samples))) / seconds(samples.tobytes())
    assert loudest == pytest.approx(440, abs=2)


@pytest.mark.parametrize(("container", "codec"), FORMATS)
def test_no_more_is_unpacked_than_anybody_waits(container: str, codec: str) -> None:
    """Silence takes next to nothing when packed: an hour of it is a short file."""
    assert seconds(unpack(packed(tone(60), container, codec))) == LONGEST_S


def test_of_a_recording_that_breaks_off_the_beginning_counts() -> None:
    whole = packed(tone(4), "webm", "libopus")
    assert 1 < seconds(unpack(whole[: len(whole) // 2])) < 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"OggS",
        b"\x1a\x45\xdf\xa3" + bytes(1_000),
        b"\x00\x00\x00\x10ftypisom" + bytes(1_000),
        b"RIFF" + bytes(1_000),
        b"ffconcat version 1.0\nfile secret.wav\n",
        b"#EXTM3U#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    ],
)
def test_what_is_no_recording_is_nothing(data: bytes) -> None:
    assert unpack(data) == b""


def test_a_video_without_sound_is_nothing() -> None:
    target = io.BytesIO()
    with av.open(target, "w", format="webm") as file:
        stream = file.add_stream("libvpx", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 64
        file.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        file.mux(stream.encode(None))
    assert unpack(target.getvalue()) == b""


def test_plain_samples_are_told_from_what_is_packed() -> None:
    plain = Format.of(info("application/octet-stream", channels="2"))
    assert plain == Format(48_000, 2, is_packed=False)
    assert plain.most_bytes == LONGEST_S * 48_000 * 2 * 2
    for mime_type in (
        "audio/opus",
        "audio/webm;codecs=opus",
        "audio/ogg; codecs=opus",
        "audio/mp4",
    ):
        form = Format.of(info(mime_type))
        assert form is not None
        assert form.is_packed


@pytest.mark.parametrize(
    "changed",
    [
        {"sampleRate": ""},
        {"sampleRate": "0"},
        {"sampleRate": "-48000"},
        {"sampleRate": "4.8e4"},
        {"sampleRate": "4000000000"},
        {"sampleRate": "9" * 100_000},
        {"sampleRate": "٤٨٠٠٠"},
        {"channels": "0"},
        {"channels": "255"},
        {"channels": "one"},
        {"trackId": ""},
        {"trackId": "x" * 1_000},
    ],
)
def test_what_cannot_be_is_passed_over(changed: dict[str, str]) -> None:
    assert Format.of(info(**changed)) is None
