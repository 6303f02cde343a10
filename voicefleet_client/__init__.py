"""The Python client of Voicefleet's HTTP API.

async with Voicefleet("https://voice.example.org") as fleet:
    session = await fleet.start(user_id="ada")
    async for view in session.follow():
        print(view.status, view.message)
"""

from voicefleet_client.admin import Admin
from voicefleet_client.client import SessionHandle, Voicefleet
from voicefleet_client.errors import ApiError, Unreachable, VoicefleetError
from voicefleet_client.models import QueuePlace, SessionView, Token

__all__ = [
    "Admin",
    "ApiError",
    "QueuePlace",
    "SessionHandle",
    "SessionView",
    "Token",
    "Unreachable",
    "Voicefleet",
    "VoicefleetError",
]
