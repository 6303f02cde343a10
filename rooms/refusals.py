"""What LiveKit's server API raises, as our exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
from google.protobuf.message import DecodeError
from livekit import api

from rooms.errors import KeyRefused, LiveKitRefused, LiveKitUnavailable


class NotThere(LiveKitRefused):
    """Raised when the room, or who was looked for in it, does not exist."""


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what a call raises into the exceptions of rooms/errors.py."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise LiveKitUnavailable(f"LiveKit did not answer ({type(error).__name__})") from error
    except DecodeError as error:
        raise LiveKitUnavailable("what answered is not LiveKit") from error
    except api.ServerError as error:
        if error.code == api.ServerErrorCode.NOT_FOUND:
            raise NotThere(error.message) from error
        if error.status == HTTPStatus.UNAUTHORIZED:
            raise KeyRefused(
                "LiveKit does not take what we sign: LIVEKIT_API_KEY and LIVEKIT_API_SECRET are "
                "not its own, or the clock of this machine is more than a minute off"
            ) from error
        if error.status >= 500:
            raise LiveKitUnavailable(f"LiveKit failed ({error.status} {error.code})") from error
        raise LiveKitRefused(f"LiveKit refused the call ({error.status} {error.code})") from error
