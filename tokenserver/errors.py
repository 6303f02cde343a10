"""What a caller is told instead of an answer; `http/errors.py` gives it its shape."""

from __future__ import annotations

from http import HTTPStatus


class ApiError(Exception):
    """An answer that is not a success. The message is for the caller and holds no internals."""

    def __init__(
        self, status: HTTPStatus, code: str, message: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
