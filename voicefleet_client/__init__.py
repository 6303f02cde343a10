"""The Python client of Voicefleet's HTTP API.

async with Voicefleet("https://voice.example.org") as fleet:
    async with await fleet.start(user_id="ada") as session:
        token = await session.admitted()
        async for view in session.follow():
            print(view.status, view.message)
"""

from voicefleet_client.admin import Admin
from voicefleet_client.client import Voicefleet
from voicefleet_client.errors import ApiError, SessionOver, Unreachable, VoicefleetError
from voicefleet_client.models import LogLine, QueuePlace, SessionView, Token, Turn
from voicefleet_client.record import AgentRecord, TurnTimes
from voicefleet_client.session import SessionHandle
from voicefleet_client.transport import TokenSource

__all__ = [
    "Admin",
    "AgentRecord",
    "ApiError",
    "LogLine",
    "QueuePlace",
    "SessionHandle",
    "SessionOver",
    "SessionView",
    "Token",
    "TokenSource",
    "Turn",
    "TurnTimes",
    "Unreachable",
    "Voicefleet",
    "VoicefleetError",
]
