"""What can go wrong between us and LiveKit.

RoomsError
├── LiveKitUnavailable  the server did not answer, or not in time; the call may have happened
│   └── LiveKitSpared       it was not even asked, because it has not answered for a while
├── LiveKitRefused      it answered no
│   └── KeyRefused          it does not take what we sign: its key is another one, or its clock
└── BadWebhook          not signed by our LiveKit server
"""

from __future__ import annotations

from rooms.breaker import BreakerOpen


class RoomsError(Exception):
    """Base of everything this package raises on purpose."""


class LiveKitUnavailable(RoomsError):
    """Raised when the LiveKit server did not answer, or not in time."""


class LiveKitSpared(BreakerOpen, LiveKitUnavailable):
    """Raised at once while the circuit breaker is open; ``retry_after_s`` says when to retry."""


class LiveKitRefused(RoomsError):
    """Raised when the LiveKit server turned a call down; repeating it will not help."""


class KeyRefused(LiveKitRefused):
    """Raised when the LiveKit server does not take what we sign: our key or our clock is wrong."""


class BadWebhook(RoomsError):
    """Raised when a webhook was not signed by our LiveKit server, or is not readable."""
