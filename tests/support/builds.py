"""A small build of pages, of the shape that Vite leaves behind."""

from __future__ import annotations

import random
from pathlib import Path

SCRIPT_NAME, FONT_NAME = "index-BqYw3_-x.js", "inter-D4kQ.woff2"
#: Long enough to be worth packing, with a script that nobody is to run.
INDEX = (
    "<!doctype html><title>Call</title><script>window.inline = true</script>"
    f'<script type="module" src="/assets/{SCRIPT_NAME}"></script>'
) + "<p>Say something.</p>" * 100
CONSOLE = "<!doctype html><title>Console</title>" + "<p>Nobody talks.</p>" * 100
SCRIPT = "export const words = [" + '"again", ' * 500 + "];\nwindow.ran = true;\n"
EMBED = "window.VoicefleetCall = {};" + " " * 2000 + "\n"
ICON = '<svg xmlns="http://www.w3.org/2000/svg"/>'
#: What cannot be packed any further.
FONT = random.Random(4711).randbytes(4096)  # noqa: S311 - repeatable, no secret


def make_build(folder: Path) -> Path:
    """Write a build into a folder, which is made, and return it."""
    for name, content in {
        "index.html": INDEX,
        "console.html": CONSOLE,
        "favicon.svg": ICON,
        "robots.txt": "User-agent: *\n",
        f"assets/{SCRIPT_NAME}": SCRIPT,
        f"assets/{SCRIPT_NAME}.map": '{"sources": ["/home/somebody/secret.ts"]}',
        "embed/voicefleet-call.js": EMBED,
        ".env": "ADMIN_API_KEY=not-to-be-served",
        ".git/config": "[core]",
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    (folder / "assets" / FONT_NAME).write_bytes(FONT)
    return folder
