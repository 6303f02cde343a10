"""What can go wrong between us and LiveKit.

RoomsError
├── LiveKitUnavailable  the server did not answer, or not in time; the call may have happened
├── LiveKitRefused      it answered no: our key is wrong, or the request is
└── BadWebhook          not signed by our LiveKit server
"""

from __future__ import annotations


class RoomsError(Exception):
    """Base of everything this package raises on purpose."""


class LiveKitUnavailable(RoomsError):
    """Raised when the LiveKit server did not answer, or not in time."""


class LiveKitRefused(RoomsError):
    """Raised when the LiveKit server turned a call down; repeating it will not help."""


class BadWebhook(RoomsError):
    """Raised when a webhook was not signed by our LiveKit server, or is not readable."""
