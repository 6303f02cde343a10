"""Answers for the built pages: one route for each file, found by its whole path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.responses import Response
from starlette.routing import Route

from tokenserver.http.call import ApiRequest
from tokenserver.http.guard import PathRoute
from tokenserver.pages.content import Content
from tokenserver.pages.folder import served_files
from tokenserver.pages.policy import headers_of
from tokenserver.settings import TokenserverSettings


def page_routes(settings: TokenserverSettings) -> list[Route]:
    """Read the build that the settings name, if they do, and return a route for each file.

    What is read now is what is served until the end. Raises OSError, ValueError.
    """
    if settings.web_dir is None:
        return []
    routes: list[Route] = []
    for path, file in served_files(settings.web_dir).items():
        content = Content.of_file(file)
        headers = headers_of(path, content.media_type, settings.public_url)
        routes.append(PathRoute(path, _answering(content, headers), methods=["GET"]))
    return routes


def _answering(
    content: Content, headers: dict[str, str]
) -> Callable[[ApiRequest], Awaitable[Response]]:
    """Return the endpoint of a file. It needs neither Redis nor LiveKit."""
    label = "page" if content.media_type == "text/html" else "asset"
    varying = {} if content.packed is None else {"Vary": "Accept-Encoding"}

    async def endpoint(request: ApiRequest) -> Response:
        request.scope["label"] = label
        form = content.plain
        if content.packed is not None and takes_gzip(request.headers.getlist("accept-encoding")):
            form = content.packed
        # A browser renews what it has kept by the headers of a 304: they are those of the 200.
        given = {**headers, **varying, "ETag": form.etag}
        if is_known(request.headers.getlist("if-none-match"), form.etag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=given)
        if form.encoding is not None:
            given["Content-Encoding"] = form.encoding
        return Response(form.body, headers=given, media_type=content.media_type)

    return endpoint


def takes_gzip(accepted: list[str]) -> bool:
    """Say whether a client wants gzip (RFC 9110, 12.5.3): named, or by `*`, and not with `q=0`."""
    weights: dict[str, bool] = {}
    for item in ",".join(accepted).lower().split(","):
        coding, _, parameter = item.partition(";")
        name, _, weight = parameter.strip().partition("=")
        is_refused = name.strip() == "q" and weight.strip().strip("0.") == ""
        weights[coding.strip()] = not is_refused
    return weights.get("gzip", weights.get("*", False))


def is_known(none_match: list[str], etag: str) -> bool:
    """Say whether a client has this form already (RFC 9110, 13.1.2): compared weakly, for proxies
    that pack an answer weaken its validator."""
    tags = {tag.strip().removeprefix("W/") for tag in ",".join(none_match).split(",")}
    return bool({"*", etag} & tags)
