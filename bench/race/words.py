"""What is said in the race: the same by all workers, and how long it takes to say it."""

from __future__ import annotations

#: About a second, as the provider speaks.
GREETING = "Hello. How can I help you?"
#: About three seconds, in one sentence.
ANSWER = "The harbour opens at seven in the morning and closes when it is dark outside"
HEARD = "What time does the harbour open in the morning?"
INSTRUCTIONS = "You are a helpful voice assistant. Your answers are short and to the point."
CHAR_S = 0.04
