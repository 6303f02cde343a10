"""Everything a client can be told about, and how it is told.

    ApiError            400 invalid_request_error
    ├── Unauthorized    401 authentication_error
    ├── NotFound        404
    ├── MethodNotAllowed 405
    ├── TooLarge        413
    ├── UnsupportedMedia 415
    ├── RequestTimedOut 408
    ├── Busy            429 rate_limit_error, with Retry-After
    ├── ServerFault     500 server_error
    ├── UpstreamFault   502 server_error
    ├── NotReady        503 server_error, with Retry-After
    └── TimedOut        504 server_error

The body is OpenAI's: ``{"error": {"message", "type", "param", "code"}}``.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ApiError(Exception):
    """Raised when a request cannot be honoured; the message is meant for the client.

    ``param`` names the offending field, ``code`` is a stable word for programs.
    """

    status: ClassVar[int] = 400
    kind: ClassVar[str] = "invalid_request_error"
    default_code: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.default_code
        self.retry_after_s = retry_after_s

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body that says it."""
        return error_body(self.message, kind=self.kind, param=self.param, code=self.code)

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that go with it."""
        if self.retry_after_s is None:
            return {}
        return {"Retry-After": str(self.retry_after_s)}


class Unauthorized(ApiError):
    """Raised when a key is required and the request carries none, or another one."""

    status = 401
    kind = "authentication_error"
    default_code = "invalid_api_key"

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110 wants every 401 to say which scheme would do."""
        return {"WWW-Authenticate": "Bearer"}


class NotFound(ApiError):
    """Raised when a path or a model does not exist."""

    status = 404
    default_code = "not_found"


class MethodNotAllowed(ApiError):
    """Raised when a path exists but not with this method."""

    status = 405
    default_code = "method_not_allowed"


class RequestTimedOut(ApiError):
    """Raised when the request body stops arriving."""

    status = 408
    default_code = "request_timeout"


class TooLarge(ApiError):
    """Raised when a body, a text or a recording is over its limit."""

    status = 413
    default_code = "too_large"


class UnsupportedMedia(ApiError):
    """Raised when a body has a content type that this path does not read."""

    status = 415
    default_code = "unsupported_media_type"


class Busy(ApiError):
    """Raised when an engine's queue is full or the wait in it was too long."""

    status = 429
    kind = "rate_limit_error"
    default_code = "busy"


class ServerFault(ApiError):
    """Raised when something broke here; the cause is in the log, not in the reply."""

    status = 500
    kind = "server_error"
    default_code = "internal_error"


class UpstreamFault(ApiError):
    """Raised when the server that chat is passed to cannot be used."""

    status = 502
    kind = "server_error"
    default_code = "upstream_error"


class NotReady(ApiError):
    """Raised while the models are still loading."""

    status = 503
    kind = "server_error"
    default_code = "not_ready"


class TimedOut(ApiError):
    """Raised when work, here or upstream, took longer than its deadline."""

    status = 504
    kind = "server_error"
    default_code = "timeout"


def error_body(
    message: str, *, kind: str, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """OpenAI's error shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
