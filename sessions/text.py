"""Text from outside on its way to Redis: cut to size, and made into valid Unicode."""

from __future__ import annotations


def clean(text: str, max_chars: int) -> str:
    """Return at most ``max_chars`` of a text, a mark at its end where more was cut off.

    Half a character (a lone surrogate, which JSON can spell and UTF-8 cannot) becomes U+FFFD.
    """
    if len(text) > max_chars:
        text = text[: max_chars - 1] + "…"
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
