"""What a worker says to a process that several calls share: through its door, by signals."""

from __future__ import annotations

import signal

#: Comes with a socket: a seat.
SEAT = b"seat"
#: Before the id of the job that is to hand over its call.
HAND_OVER_ONE = b"hand over "
LONGEST_WORD_BYTES = 512
#: Asks where the main thread is. Answered through the door.
SHOW_STACK = signal.SIGUSR1
