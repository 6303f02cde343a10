"""What all workers say in the race, how long it takes, and what a plain one may be told."""

from __future__ import annotations

#: About a second, as the provider speaks.
GREETING = "Hello. How can I help you?"
#: About three seconds, in one sentence.
ANSWER = "The harbour opens at seven in the morning and closes when it is dark outside"
HEARD = "What time does the harbour open in the morning?"
INSTRUCTIONS = "You are a helpful voice assistant. Your answers are short and to the point."
CHAR_S = 0.04
#: Has a plain worker take calls however busy the machine is, for what is not about that.
TAKES_ALL = "RACE_TAKES_ALL"
