"""What keeps a worker from starting."""

from __future__ import annotations


class Unusable(Exception):
    """Raised when files that a worker was given cannot be used; a line for each mistake."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
