"""The form that a transcription is asked for with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from localvoice.errors import ApiError, TooLarge, UnsupportedMedia

FORMATS = ("json", "verbose_json", "text", "srt", "vtt")
_GRANULARITIES = frozenset({"segment", "word"})
#: Form fields beside the recording; OpenAI's client sends at most a dozen.
_MAX_FIELDS = 100
_MAX_FIELD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Upload:
    """A recording and what is wanted from it."""

    data: bytes
    languages: tuple[str, ...]
    prompt: str | None
    temperature: float
    response_format: str
    granularities: frozenset[str]

    @property
    def wants_timestamps(self) -> bool:
        """Whether the reply shows when each segment was said."""
        return self.response_format in {"verbose_json", "srt", "vtt"}


async def read_upload(request: Request, *, max_bytes: int) -> Upload:
    """Read and check the form; the recording stays in memory. Raises ApiError."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "multipart/form-data":
        raise UnsupportedMedia("send the recording as multipart/form-data, in a field named file")
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=1,
        max_fields=_MAX_FIELDS,
        max_part_size=_MAX_FIELD_BYTES,
    )
    # What people say is not written to disk, not even for a moment.
    parser.spool_max_size = max_bytes + 1
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise ApiError("the form is malformed", code="invalid_form") from error
    try:
        return await _checked(form, max_bytes=max_bytes)
    finally:
        await form.close()


async def _checked(form: FormData, *, max_bytes: int) -> Upload:
    recording = form.get("file")
    if not isinstance(recording, UploadFile):
        raise ApiError(
            "the form has no file: send the recording in a field named file",
            param="file",
            code="missing_parameter",
        )
    data = await recording.read()
    if len(data) > max_bytes:
        raise TooLarge(f"the file is larger than {max_bytes} bytes", param="file")
    if form.get("stream") in ("true", "True", "1"):
        raise ApiError("streamed transcription is not available", param="stream")
    return Upload(
        data=data,
        languages=_texts(form, "language", "languages", "languages[]"),
        prompt=" ".join(_texts(form, "prompt", "keywords", "keywords[]")) or None,
        temperature=_temperature(form),
        response_format=_choice(form),
        granularities=_granularities(form),
    )


def _texts(form: FormData, *names: str) -> tuple[str, ...]:
    """Every non-empty text under any of the names, in the order sent."""
    found = (value for name, value in form.multi_items() if name in names)
    return tuple(value for value in found if isinstance(value, str) and value.strip())


def _temperature(form: FormData) -> float:
    texts = _texts(form, "temperature")
    try:
        value = float(texts[0]) if texts else 0.0
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise ApiError("temperature must be a number from 0 to 1", param="temperature")
    return value


def _choice(form: FormData) -> str:
    texts = _texts(form, "response_format") or ("json",)
    if texts[0] not in FORMATS:
        raise _not_one_of("response_format", FORMATS)
    return texts[0]


def _granularities(form: FormData) -> frozenset[str]:
    wanted = _texts(form, "timestamp_granularities", "timestamp_granularities[]")
    if not _GRANULARITIES.issuperset(wanted):
        raise _not_one_of("timestamp_granularities", sorted(_GRANULARITIES))
    return frozenset(wanted or ("segment",))


def _not_one_of(param: str, known: Sequence[str]) -> ApiError:
    return ApiError(f"{param} must be one of: {', '.join(known)}", param=param)
