"""Talks for more than a minute, for those who want to interrupt."""

from __future__ import annotations

import re

from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Reply, Say
from localvoice.brain.skill import Skill

STORY = (
    "Once upon a time there was a lighthouse keeper named Nora. "
    "She lived alone on a small island, far out in the grey sea. "
    "Every evening she climbed the ninety nine steps and lit the great lamp. "
    "And every night she talked to the ships, although she knew they could not hear her. "
    "Good evening, little fishing boat, she would say. "
    "Good evening, big steamer, mind the rocks. "
    "One winter a storm came that was stronger than any storm before. "
    "The wind broke the window, and the rain put out the lamp. "
    "Nora tried to light it again, but the matches were wet. "
    "Out in the dark she heard the horn of a ship, very close. "
    "So she did the only thing she could think of. "
    "She took the old brass speaking tube, opened the door, and called into the wind. "
    "Turn to the left, she called. The rocks are right in front of you. Turn to the left. "
    "She called until her voice was almost gone. "
    "Then, slowly, she saw the lights of the ship move away from the island. "
    "In the morning the sea was calm, and a boat came to the landing. "
    "The captain stepped out with a box of dry matches and a basket of oranges. "
    "We heard you, he said. We did not see a light, but we heard a voice. "
    "From that day on every ship that passed the island sounded its horn. "
    "And Nora, who had talked to them for so many years, finally got an answer. "
    "That is the end of the story."
)
_ASKED = re.compile(
    r"\b(?:tell|read|know)\b.{0,20}\b(?:story|tale)\b|^(?:a |another )?story\b"
    r"|\b(?:keep|go on) talking\b|\btalk (?:for a (?:while|minute|long time)|to me|a lot)\b"
    r"|\b(?:say|tell me) something long\b|\bbedtime story\b"
)


def answer(turn: Turn) -> Reply | None:
    """One story, always the same."""
    return Say(STORY) if _ASKED.search(turn.words) else None


SKILL = Skill("stories", ("Tell me a story.", "Please keep talking."), answer)
